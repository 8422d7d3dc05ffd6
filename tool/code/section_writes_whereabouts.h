/* section_writes_whereabouts.h - the registers and variables on the stack that hold an address.
 * Takes: one instruction after the other.  Gives: where the address is behind each, and in a function called.
 * Must not: take for lost what a compiler that does not optimize puts on the stack and takes from there. */
#ifndef HVCIFIX_CODE_SECTION_WRITES_WHEREABOUTS_H
#define HVCIFIX_CODE_SECTION_WRITES_WHEREABOUTS_H

#include "code/code_decode.h"

enum { STACK_SLOT_MAX_COUNT = 4 };

/* A word at the stack or frame register plus a constant. */
struct stack_slot {
    uint8_t base;
    int32_t disp;
};

struct whereabouts {
    uint8_t word_nbytes; /* 4 or 8 */
    bool was_pushed;     /* what comes from the stack may be the address */
    uint32_t held;       /* registers, one bit each */
    uint8_t slot_count;
    struct stack_slot slots[STACK_SLOT_MAX_COUNT];
};

/* Goes on over the instruction, which was decoded last. is_taken: it is the one that takes the address. */
void whereabouts_move(struct whereabouts *address, const struct instruction *instruction,
                      const struct instruction_effects *effects, bool is_taken);

/* What a function that is called here finds at its first instruction. */
struct whereabouts whereabouts_in_callee(const struct whereabouts *address);

/* It is argument `number` (from 0) of what is called here. is_fast: by __fastcall on x86. */
bool whereabouts_is_argument(const struct whereabouts *address, unsigned number, bool is_fast);

bool whereabouts_is_nowhere(const struct whereabouts *address);

#endif
