/* range_hits.h - enumeration: every byte position of executable sections that could hold a direct reference
 * into a few ranges of the image. Takes: image, code map, ranges.  Gives: each position, one by one.  Must
 * not: depend on what was decoded; that only explains the hits.
 *
 * On x64 a direct reference to memory is a displacement of 4 bytes right after a ModRM byte with mod = 00 and
 * r/m = 101, with 0, 1, 2 or 4 bytes of immediate behind it; that holds for legacy, VEX and EVEX encodings,
 * with 67h or without. On x86 all are absolute, and base relocations name them. */
#ifndef HVCIFIX_CODE_RANGE_HITS_H
#define HVCIFIX_CODE_RANGE_HITS_H

#include "code/code_map.h"

struct rva_range {
    uint32_t begin_rva, end_rva;
};

enum hit_form {
    HIT_RIP_RELATIVE,  /* relative to the instruction's end */
    HIT_IMAGE_RELATIVE /* a plain RVA: a displacement or immediate that code may add to the image base */
};

struct range_hit {
    const struct code_section *section;
    uint32_t at; /* offset of the 4-byte field in the section; at least 1 */
    enum hit_form form;
};

/* Called for each hit; false ends the enumeration. */
typedef bool range_hit_fn(void *context, const struct range_hit *hit);

/* The ranges are sorted and apart. with_image_relative: plain RVAs count too. False when `take` returned
 * false. Linear in the bytes of executable sections, times the logarithm of range_count. */
bool range_hits(const struct image *image, const struct code_map *code, const struct rva_range *ranges,
                size_t range_count, bool with_image_relative, range_hit_fn *take, void *context);

/* True when rva lies in one of the sorted ranges. */
bool rva_in_ranges(const struct rva_range *ranges, size_t range_count, uint64_t rva);

#endif
