/* undo_delta.h - an old file as the differences to a new one.
 * Takes: two files.  Gives: ranges of the new file, and a byte of difference for each byte of the old one;
 * and the old file from these.  Must not: know what the files are.
 *
 * A repair moves pieces and encodes references anew. So each range of the old file names where in the new one
 * it is found; what differs there is subtracted byte by byte, as bsdiff does, and what is equal becomes
 * zeros, of which deflate leaves next to nothing. */
#ifndef HVCIFIX_UNDO_UNDO_DELTA_H
#define HVCIFIX_UNDO_UNDO_DELTA_H

#include "base/arena.h"
#include "base/span.h"

enum {
    DELTA_RANGE_NBYTES = 8,          /* how a range is stored: length, source; 32 bits each */
    DELTA_SMALLEST_RANGE_NBYTES = 16 /* but for the first and the last of a file */
};
#define DELTA_NO_SOURCE UINT32_MAX /* the range is found nowhere: zeros stand for its source */

/* How many ranges an old file of that size can have. */
static inline uint64_t delta_most_ranges(uint64_t old_nbytes)
{
    return old_nbytes / DELTA_SMALLEST_RANGE_NBYTES + 2;
}

/* The delta: `range_count` ranges, which follow one another in the old file and cover it, then the
 * differences. Both files are below 2 GiB. The work is linear in their sizes. False when memory ran out. */
bool delta_make(struct span old_file, struct span new_file, struct arena *arena, struct span *delta,
                uint32_t *range_count);

/* The old file, of old_nbytes bytes. False, with *old_file empty, when the ranges do not cover it; or when
 * memory ran out (arena->exhausted). Behind the end of the new file zeros stand for a range's source. */
bool delta_apply(struct span delta, uint32_t range_count, uint64_t old_nbytes, struct span new_file,
                 struct arena *arena, struct span *old_file);

#endif
