/* span.h - bounded, read-only views of bytes, and checked little-endian reads and writes.
 * Takes: a pointer with its length.  Gives: values, or false when the bytes are not all there.
 * Must not: read past the end, cast structures onto file bytes, or know anything about PE. */
#ifndef HVCIFIX_BASE_SPAN_H
#define HVCIFIX_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view; it never owns its bytes. The empty span is {NULL, 0}. */
struct span {
    const uint8_t *bytes;
    size_t nbytes;
};

/* True when [offset, offset + nbytes) lies inside a range of total_nbytes bytes. Cannot overflow. */
static inline bool range_fits(uint64_t total_nbytes, uint64_t offset, uint64_t nbytes)
{
    return offset <= total_nbytes && nbytes <= total_nbytes - offset;
}

/* True when the half-open ranges [a, a + a_nbytes) and [b, b + b_nbytes) share a byte.
 * Arguments up to 2^63 each; an empty range overlaps nothing. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_nbytes, uint64_t b, uint64_t b_nbytes)
{
    return a_nbytes != 0 && b_nbytes != 0 && a < b + b_nbytes && b < a + a_nbytes;
}

/* The part of `whole` at [offset, offset + nbytes). False, with *part untouched, when it does not fit. */
static inline bool span_part(struct span whole, uint64_t offset, uint64_t nbytes, struct span *part)
{
    if (!range_fits(whole.nbytes, offset, nbytes))
        return false;
    part->bytes = whole.bytes + offset;
    part->nbytes = (size_t)nbytes;
    return true;
}

/* Unchecked little-endian loads and stores for bytes already known to be there. */
static inline uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (p[1] << 8));
}

static inline uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

static inline uint64_t load_u64(const uint8_t *p)
{
    return (uint64_t)load_u32(p) | ((uint64_t)load_u32(p + 4) << 32);
}

static inline void store_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void store_u32(uint8_t *p, uint32_t value)
{
    store_u16(p, (uint16_t)value);
    store_u16(p + 2, (uint16_t)(value >> 16));
}

static inline void store_u64(uint8_t *p, uint64_t value)
{
    store_u32(p, (uint32_t)value);
    store_u32(p + 4, (uint32_t)(value >> 32));
}

/* Little-endian load of 1, 2, 4 or 8 bytes known to be there; other widths give 0. */
uint64_t load_width(const uint8_t *p, unsigned width_nbytes);

/* Little-endian store of the low 1, 2, 4 or 8 bytes of value; other widths store nothing. */
void store_width(uint8_t *p, unsigned width_nbytes, uint64_t value);

/* Checked reads: false, with *value untouched, when the field is not wholly inside the span. */
static inline bool span_u8(struct span s, uint64_t offset, uint8_t *value)
{
    if (!range_fits(s.nbytes, offset, 1))
        return false;
    *value = s.bytes[offset];
    return true;
}

static inline bool span_u16(struct span s, uint64_t offset, uint16_t *value)
{
    if (!range_fits(s.nbytes, offset, 2))
        return false;
    *value = load_u16(s.bytes + offset);
    return true;
}

static inline bool span_u32(struct span s, uint64_t offset, uint32_t *value)
{
    if (!range_fits(s.nbytes, offset, 4))
        return false;
    *value = load_u32(s.bytes + offset);
    return true;
}

static inline bool span_u64(struct span s, uint64_t offset, uint64_t *value)
{
    if (!range_fits(s.nbytes, offset, 8))
        return false;
    *value = load_u64(s.bytes + offset);
    return true;
}

/* Length of the NUL-terminated string at offset, not counting the NUL, at most max_nbytes.
 * False when there is no NUL inside the span and that limit. */
bool span_cstr(struct span s, uint64_t offset, size_t max_nbytes, size_t *length);

/* True when every byte of the span equals value (an empty span does). */
bool span_is_filled(struct span s, uint8_t value);

static inline bool span_is_equal(struct span a, struct span b)
{
    return a.nbytes == b.nbytes && (a.nbytes == 0 || memcmp(a.bytes, b.bytes, a.nbytes) == 0);
}

/* value rounded up to a power of two; false when align is not a power of two or the sum exceeds
 * 2^32 - 1 (the largest address or size a PE field can hold). */
bool round_up_u32(uint64_t value, uint32_t align, uint32_t *rounded);

#endif
