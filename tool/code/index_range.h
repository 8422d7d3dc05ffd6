/* index_range.h - between which bounds the index of an x86 memory operand lies.
 * Takes: image, code map, places that branches lead to.  Gives: the bounds, when the instructions right
 * before the access show them.  Must not: look over a place that is reached from elsewhere.
 *
 * Compilers fold the lower bound of an index into the address: `array[i - 0x803]` behind a check that
 * i - 0x803 is at most 4 is an address far before the array, which no border tells from another's. */
#ifndef HVCIFIX_CODE_INDEX_RANGE_H
#define HVCIFIX_CODE_INDEX_RANGE_H

#include "code/code_decode.h"
#include "code/code_map.h"
#include "refs/site_set.h"

struct index_range {
    int64_t low, high; /* of the register, as a number of 32 bits that does not wrap */
    uint8_t scale;
    uint32_t nbytes; /* of the datum; 0: not known */
};

/* The instruction at rva is decoded, and its memory operand is [index * scale + displacement]. `joins` holds
 * the file offsets that anything leads to. False when the bounds are not known. */
bool index_range_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                      const struct site_set *joins, uint32_t rva, struct index_range *range);

#endif
