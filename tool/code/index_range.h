/* index_range.h - between which bounds the index of a memory operand lies.
 * Takes: image, code map, places that branches lead to.  Gives: the bounds, when the instructions right
 * before the access show them.  Must not: call a bound what a path to the access may lack that nobody walks.
 *
 * Compilers fold the lower bound of an index into the address: `array[i - 0x803]` behind a check that
 * i - 0x803 is at most 4 is an address far before the array, which no border tells from another's.
 *
 * The bounds hold on the straight way that leads into the access; other ways may lead to it with other
 * indexes. That is enough to tell the array: one access of one of its elements shows where it lies. */
#ifndef HVCIFIX_CODE_INDEX_RANGE_H
#define HVCIFIX_CODE_INDEX_RANGE_H

#include "code/code_decode.h"
#include "code/code_map.h"
#include "refs/site_set.h"

/* Of a register, as a number that does not wrap: 0 or more. */
struct register_bounds {
    int64_t low, high;
    uint32_t begin_rva; /* of the instruction that shows them */
    bool is_joined;     /* something else leads to an instruction between that and the access */
};

/* The bounds of the register as the instruction at rva finds it, which is decoded. `joins` holds the file
 * offsets that anything leads to. False when they are not known. The decoder has decoded something else then.
 */
bool register_bounds_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                          const struct site_set *joins, uint32_t rva, uint8_t number,
                          struct register_bounds *bounds);

struct index_range {
    int64_t low, high; /* of the register */
    uint8_t scale;
    uint32_t nbytes; /* of the datum; 0: it is an address that is computed */
};

/* The same for the one register in the memory operand [register * scale + displacement] at rva. */
bool index_range_find(const struct image *image, const struct code_map *code, struct decoder *decoder,
                      const struct site_set *joins, uint32_t rva, struct index_range *range);

#endif
