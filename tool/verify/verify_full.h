/* verify_full.h - one instruction with its operands.
 * Takes: bytes, through Zydis.  Gives: struct verify_full.  Must not: say of an instruction whose first bytes
 * were met before anything that Zydis would not say of it. */
#ifndef HVCIFIX_VERIFY_VERIFY_FULL_H
#define HVCIFIX_VERIFY_VERIFY_FULL_H

#include "verify/verify_decode.h"

/* What is asked of a ZydisDecodedInstruction, by the names that it has there. */
struct verify_full_head {
    ZydisMachineMode machine_mode;
    ZydisMnemonic mnemonic;
    ZydisInstructionAttributes attributes;
    uint8_t length, operand_width, operand_count, operand_count_visible;
    uint16_t named_registers; /* general registers that any operand is or is addressed by, hidden ones too */
    struct {
        ZydisInstructionCategory category;
        ZydisBranchType branch_type;
    } meta;
    const ZydisAccessedFlags *cpu_flags;
    struct {
        struct {
            uint8_t size, offset;
        } disp;
        struct {
            bool is_relative;
            struct {
                int64_t s;
            } value;
        } imm[1];
    } raw;
};

/* Of the operands behind the last one, the first two are all zeros, and the others are not set. */
struct verify_full {
    struct verify_full_head decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/* Decodes the instruction at code.bytes + at. False when there is none. */
bool verify_full_decode(const struct verify_decoder *decoder, struct span code, size_t at,
                        struct verify_full *full);

#endif
