/* verify_registers.h - one instruction with its operands, and which general registers it reads and writes.
 * Takes: code bytes, through Zydis.  Gives: register numbers (0 to 15) and sets of them as bits.
 * Must not: follow control flow. */
#ifndef HVCIFIX_VERIFY_VERIFY_REGISTERS_H
#define HVCIFIX_VERIFY_VERIFY_REGISTERS_H

#include "verify/verify_code.h"
#include "verify/verify_full.h"

/* What a call does not keep, by the calling conventions of Windows. */
enum {
    REGISTER_AX = 1 << 0,
    REGISTERS_ARGUMENT_64 = 1 << 1 | 1 << 2 | 1 << 8 | 1 << 9,
    REGISTERS_VOLATILE_64 = REGISTER_AX | REGISTERS_ARGUMENT_64 | 1 << 10 | 1 << 11,
    REGISTERS_ARGUMENT_32 = 1 << 1 | 1 << 2,
    REGISTERS_VOLATILE_32 = REGISTER_AX | REGISTERS_ARGUMENT_32
};

/* Decodes the instruction at an offset of a section. False when there is none. */
bool verify_decode_full(const struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_full *full);

/* Number of the general register that holds reg; -1 for none and others. Zydis has the registers of each
 * width together, in the order of their numbers; those of eight bits are AL to BL, AH to BH, SPL to DIL, R8B
 * on. */
static inline int verify_register_number(ZydisRegister reg)
{
    enum { EIGHT_BIT_COUNT = ZYDIS_REGISTER_AX - ZYDIS_REGISTER_AL, HIGH_AT = 4, REGISTER_COUNT = 16 };
    unsigned at = (unsigned)reg - ZYDIS_REGISTER_AL;
    if (at > ZYDIS_REGISTER_R15 - ZYDIS_REGISTER_AL)
        return -1;
    if (at >= EIGHT_BIT_COUNT)
        return (int)((at - EIGHT_BIT_COUNT) % REGISTER_COUNT);
    return (int)(at < HIGH_AT ? at : at - HIGH_AT);
}

/* True when the set has the general register that holds reg. */
static inline bool verify_holds(uint16_t set, ZydisRegister reg)
{
    int number = verify_register_number(reg);
    return number >= 0 && (set >> number & 1);
}

/* Registers that the instruction writes in whole or in part; a call writes all that it does not keep. */
uint16_t verify_written_registers(const struct verify_full *full);

/* Of these, the ones of which nothing is left for sure: written as a whole, and not under a condition. */
uint16_t verify_replaced_registers(const struct verify_full *full);

/* Does the instruction behind this one run after it? */
bool verify_falls_through(const struct verify_full *full);

/* A jump, conditional or not, to a place that it states relative to its own first byte. */
bool verify_direct_jump(const struct verify_full *full, int64_t *target);

#endif
