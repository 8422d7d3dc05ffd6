/* verify_holders.h - which registers and stack slots hold an address, or the address plus a constant.
 * Takes: one instruction after the other.  Gives: the holders behind each, and what it did with the address.
 * Must not: follow control flow, or take a use that it does not understand for a harmless one. */
#ifndef HVCIFIX_VERIFY_VERIFY_HOLDERS_H
#define HVCIFIX_VERIFY_VERIFY_HOLDERS_H

#include "verify/verify_follow.h"

enum { HOLDER_REGISTER_COUNT = 16, HOLDER_SLOT_COUNT = 4, HOLDER_COUNT = 20, HOLDER_MOST_NBYTES = 1 << 24 };

struct verify_holders {
    uint32_t added_most;           /* what is held may be that much farther */
    uint32_t set;                  /* bits: registers by number, then slots */
    int32_t offsets[HOLDER_COUNT]; /* less than HOLDER_MOST_NBYTES in size */
    struct {
        int32_t base; /* number of the stack or frame register */
        int32_t disp;
    } slots[HOLDER_SLOT_COUNT];
};

/* What one instruction at section offset `at` does with the holders. False when the address gets out of
 * sight, or is computed with: found->is_indexed and is_added say so. Calls, returns and jumps hand it on only
 * through what verify_holders_leave() says. */
bool verify_holders_step(struct verify_code *code, const struct verify_code_section *section, size_t at,
                         const struct verify_full *full, struct verify_holders *holders, bool is_certain,
                         struct verify_followed *found);

/* A call, a return, or a jump out of the function: what others may find in registers and on the stack. */
void verify_holders_leave(const struct verify_full *full, struct verify_holders *holders,
                          struct verify_followed *found);

/* Memory at the stack or frame register plus a constant: a variable of the function, or an argument for
 * another. */
bool verify_is_frame_slot(const ZydisDecodedOperand *operand);

#endif
