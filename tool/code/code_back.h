/* code_back.h - the instructions before one, backwards, on the straight way that leads into it.
 * Takes: image, code map, places that branches lead to.  Gives: one instruction after the other.
 * Must not: go back to where execution may not come from. */
#ifndef HVCIFIX_CODE_CODE_BACK_H
#define HVCIFIX_CODE_CODE_BACK_H

#include "code/code_decode.h"
#include "code/code_map.h"
#include "refs/site_set.h"

struct code_back {
    const struct image *image;
    const struct code_map *code;
    struct decoder *decoder;
    const struct site_set *joins;
    const struct code_section *section;
    uint32_t at;     /* offset of the instruction that is looked at */
    bool is_reached; /* something leads to an instruction that was passed: it may be the only way there */
};

/* Decodes the instruction where *back is. */
bool back_decode(const struct code_back *back, struct instruction *instruction);

/* The instruction before, when execution goes on from it to this one; *back is there then. `kept` are the
 * registers, one bit each, that have to outlive it where it is a call. */
bool back_go(struct code_back *back, struct instruction *instruction, uint32_t kept);

/* The instruction that was decoded last may change the register. */
bool back_changes(const struct code_back *back, uint8_t number);

/* Where *back is: of 16 bits, operands or addresses, so the rest of a register is not what is checked. */
bool back_is_narrow(const struct code_back *back);

#endif
