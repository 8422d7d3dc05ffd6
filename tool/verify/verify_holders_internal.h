/* verify_holders_internal.h - what the files of verify_holders.h share.
 * Takes: one instruction's effect while it is worked out.  Gives: the holders as values and as addresses.
 * Must not: be included by others. */
#ifndef HVCIFIX_VERIFY_VERIFY_HOLDERS_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_HOLDERS_INTERNAL_H

#include "verify/verify_holders.h"

enum { STACK_REGISTER = 4, FRAME_REGISTER = 5 };

/* One instruction while its effect is worked out. */
struct effect {
    struct verify_code *code;
    const struct verify_code_section *section;
    size_t at;
    const struct verify_full *full;
    struct verify_holders *holders;
    bool is_certain;
    struct verify_followed *found;
    unsigned word_nbytes;
};

/* Widens the range by [low, high). */
void holders_add_reach(struct verify_reach *reach, int64_t low, int64_t high);

/* The value of a holder is stored, passed, or the like. */
void holders_hand_on(struct effect *effect, int holder);

static inline bool holders_is_set(const struct verify_holders *holders, int number)
{
    return number >= 0 && (holders->set >> number & 1);
}

static inline void holders_drop(struct verify_holders *holders, int number)
{
    holders->set &= ~(UINT32_C(1) << number);
}

/* False when the address goes too far to be one of the same thing. */
bool holders_set(struct verify_holders *holders, int number, int64_t offset);

/* The slot that the operand is, wholly; -1 without one. */
int holders_slot_of(const struct effect *effect, const ZydisDecodedOperand *operand);

/* True when the operand shares a byte with a slot without being it. */
bool holders_cuts_slot(const struct effect *effect, const ZydisDecodedOperand *operand);

/* The holder that the operand is as a value: a whole register, or a slot; -1 when it is none. */
int holders_value(const struct effect *effect, const ZydisDecodedOperand *operand);

/* True when the operand holds, or is a part of, what holds the address. */
bool holders_touches(const struct effect *effect, const ZydisDecodedOperand *operand);

/* Memory whose address a holder forms: false when it is not understood. */
bool holders_take_access(struct effect *effect, const ZydisDecodedOperand *operand);

/* Puts the value of `from`, and `added` more, into an operand. False when that cannot be followed. */
bool holders_copy_to(struct effect *effect, int from, const ZydisDecodedOperand *to, int64_t added);

#endif
