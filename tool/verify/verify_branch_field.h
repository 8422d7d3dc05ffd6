/* verify_branch_field.h - the bytes in front of a branch's distance.
 * Takes: bytes of code at any position.  Gives: whether a distance may begin behind them, and its value.
 * Must not: decode; what may be a branch by these bytes may be anything.
 * Source: Intel SDM, volume 2, opcode maps: call E8, jmp E9 and EB, jcc 70-7F and 0F 80-8F, loop and jcxz
 * E0-E3. */
#ifndef HVCIFIX_VERIFY_VERIFY_BRANCH_FIELD_H
#define HVCIFIX_VERIFY_VERIFY_BRANCH_FIELD_H

#include "base/span.h"

/* bytes[at] may be the last byte of an opcode before a distance of 4 bytes. */
static inline bool verify_ends_rel32_opcode(const uint8_t *bytes, size_t at)
{
    bool is_conditional = (bytes[at] & 0xF0) == 0x80 && at > 0 && bytes[at - 1] == 0x0F;
    return bytes[at] == 0xE8 || bytes[at] == 0xE9 || is_conditional;
}

/* The byte may be an opcode before a distance of 1 byte. */
static inline bool verify_is_rel8_opcode(uint8_t byte)
{
    return (byte & 0xF0) == 0x70 || (byte & 0xFC) == 0xE0 || byte == 0xEB;
}

/* The signed value of a distance of 1 or 4 bytes. */
static inline int64_t verify_branch_distance(const uint8_t *field, unsigned nbytes)
{
    return nbytes == 1 ? (int8_t)*field : (int32_t)load_u32(field);
}

#endif
