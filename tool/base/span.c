/* span.c - the parts of span.h that are too long for the header.
 * Takes: bounded bytes.  Gives: values.  Must not: read past the end. */
#include "base/span.h"

uint64_t load_width(const uint8_t *p, unsigned width_nbytes)
{
    switch (width_nbytes) {
    case 1:
        return p[0];
    case 2:
        return load_u16(p);
    case 4:
        return load_u32(p);
    case 8:
        return load_u64(p);
    default:
        return 0;
    }
}

void store_width(uint8_t *p, unsigned width_nbytes, uint64_t value)
{
    switch (width_nbytes) {
    case 1:
        p[0] = (uint8_t)value;
        break;
    case 2:
        store_u16(p, (uint16_t)value);
        break;
    case 4:
        store_u32(p, (uint32_t)value);
        break;
    case 8:
        store_u64(p, value);
        break;
    default:
        break;
    }
}

bool span_cstr(struct span s, uint64_t offset, size_t max_nbytes, size_t *length)
{
    if (offset >= s.nbytes)
        return false;
    size_t left_nbytes = s.nbytes - (size_t)offset;
    if (left_nbytes > max_nbytes)
        left_nbytes = max_nbytes;
    const uint8_t *start = s.bytes + offset;
    const uint8_t *end = memchr(start, 0, left_nbytes);
    if (!end)
        return false;
    *length = (size_t)(end - start);
    return true;
}

bool span_is_filled(struct span s, uint8_t value)
{
    if (s.nbytes == 0)
        return true;
    /* Comparing the bytes with themselves shifted by one lets memcmp do the loop. */
    return s.bytes[0] == value && memcmp(s.bytes, s.bytes + 1, s.nbytes - 1) == 0;
}

bool round_up_u32(uint64_t value, uint32_t align, uint32_t *rounded)
{
    if (align == 0 || (align & (align - 1)) != 0 || value > UINT32_MAX)
        return false;
    uint64_t up = (value + align - 1) & ~((uint64_t)align - 1);
    if (up > UINT32_MAX)
        return false;
    *rounded = (uint32_t)up;
    return true;
}
