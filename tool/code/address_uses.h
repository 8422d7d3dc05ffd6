/* address_uses.h - what code does with an address that one instruction takes.
 * Takes: image, code map, the instruction.  Gives: whether the address is used as it is, and which bytes are
 * accessed through it. Must not: know what lies there.
 *
 * Compilers fold constants into addresses that they go on to compute with: `array[i - 4]` becomes an address
 * before the array, to which a register is added. An address that nothing is added to is not folded: it leads
 * into an object of the source, or right behind one. */
#ifndef HVCIFIX_CODE_ADDRESS_USES_H
#define HVCIFIX_CODE_ADDRESS_USES_H

#include "code/code_decode.h"
#include "code/code_map.h"
#include "refs/site_set.h"

struct address_uses {
    /* Nothing computes with it, as far as it is in sight: it is only passed, stored, returned, or memory is
     * accessed at [register + constant]; and nothing compares it. */
    bool is_as_is;
    /* The same, but for comparing it with something. */
    bool is_compared;
    /* And it never goes out of sight: all its uses are accesses of the bytes [first, end), as offsets from
     * it. */
    bool is_decided;
    int64_t first, end;
    bool is_written; /* one of them writes */
    /* It stays in sight, and memory is never accessed through it: it is only compared. */
    bool is_never_accessed;
};

/* The uses of the address that the decoded instruction around site_rva, the place of the field, takes.
 * `decoder` is for the image's machine. At most a few hundred instructions are looked at, and *steps_left of
 * all calls together; what is not followed to its end is not as it is. */
struct address_uses address_uses_follow(const struct image *image, const struct code_map *code,
                                        struct decoder *decoder, uint32_t site_rva, uint64_t *steps_left);

/* Memory is read through the address, or through what is computed from it, as far as it stays in registers.
 */
bool address_is_read_through(const struct image *image, const struct code_map *code, struct decoder *decoder,
                             uint32_t site_rva, uint64_t *steps_left);

/* The decoded instruction around site_rva is a plain load from the address there; memory is read or written
 * through the pointer that it loads, or through what is computed from that, as far as it stays in registers.
 */
bool address_loaded_is_accessed(const struct image *image, const struct code_map *code,
                                struct decoder *decoder, uint32_t site_rva, uint64_t *steps_left);

/* What is accessed through the address first, on each path from where it is taken, before anything is
 * computed with it: at [register + constant], or with an index whose bounds are known (index_range.h; `joins`
 * as there). All of those bytes are [*first, *end), as offsets from the address; they belong to what it
 * means, whatever becomes of it later, and however it was folded. The operand that holds it may have an index
 * itself. False when there are none, or something is done with the address before that tells nothing. */
bool address_first_accesses(const struct image *image, const struct code_map *code, struct decoder *decoder,
                            const struct site_set *joins, uint32_t site_rva, uint64_t *steps_left,
                            int64_t *first, int64_t *end);

#endif
