/* site_set.h - a set of file offsets, one bit for each byte of the file.
 * Takes: the file's size.  Gives: constant-time "seen before?", which keeps every walk over shared or
 * cyclic tables linear.  Must not: know what the offsets mean. */
#ifndef HVCIFIX_REFS_SITE_SET_H
#define HVCIFIX_REFS_SITE_SET_H

#include "base/arena.h"
#include "base/span.h"

struct site_set {
    uint8_t *bits;         /* in an arena, with four spare bytes at the end */
    uint64_t limit_nbytes; /* offsets below this may be in the set */
};

/* An empty set for offsets below file_nbytes. False when memory ran out. */
bool site_set_init(struct site_set *set, struct arena *arena, uint64_t file_nbytes);

/* Adds foff; false when it was there already, or is not below the limit. */
static inline bool site_set_add(struct site_set *set, uint64_t foff)
{
    if (foff >= set->limit_nbytes)
        return false;
    uint8_t *byte = &set->bits[foff >> 3];
    uint8_t bit = (uint8_t)(1U << (foff & 7));
    if (*byte & bit)
        return false;
    *byte |= bit;
    return true;
}

static inline bool site_set_has(const struct site_set *set, uint64_t foff)
{
    return foff < set->limit_nbytes && (set->bits[foff >> 3] & (1U << (foff & 7))) != 0;
}

/* Adds every member of `other`, a set with the same limit or an empty one that was never made. */
void site_set_add_all(struct site_set *set, const struct site_set *other);

/* The first member of [foff, foff + nbytes), or UINT64_MAX. nbytes is at most 24. */
static inline uint64_t site_set_first(const struct site_set *set, uint64_t foff, unsigned nbytes)
{
    if (foff >= set->limit_nbytes)
        return UINT64_MAX;
    uint32_t found = load_u32(set->bits + (foff >> 3)) >> (foff & 7);
    found &= (UINT32_C(1) << nbytes) - 1;
    if (found == 0)
        return UINT64_MAX;
    for (; (found & 1) == 0; found >>= 1)
        foff++;
    return foff;
}

#endif
