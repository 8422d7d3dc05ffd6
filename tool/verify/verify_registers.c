/* verify_registers.c - what one instruction does with the general registers.
 * Takes: bytes.  Gives: sets of registers.  Must not: follow control flow. */
#include "verify/verify_registers.h"

bool verify_decode_full(const struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_full *full)
{
    return verify_full_decode(&code->decoder, section->bytes, at, full);
}

/* What a call does not keep. */
static unsigned volatile_registers(const struct verify_full *full)
{
    if (full->decoded.meta.category != ZYDIS_CATEGORY_CALL)
        return 0;
    return full->decoded.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? REGISTERS_VOLATILE_64
                                                                    : REGISTERS_VOLATILE_32;
}

uint16_t verify_replaced_registers(const struct verify_full *full)
{
    unsigned bits = volatile_registers(full);
    for (unsigned i = 0; i < full->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        int number =
            operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(operand->reg.value) : -1;
        if (number >= 0 && operand->size >= 32 && (operand->actions & ZYDIS_OPERAND_ACTION_WRITE))
            bits |= 1u << number;
    }
    return (uint16_t)bits;
}

uint16_t verify_written_registers(const struct verify_full *full)
{
    unsigned bits = volatile_registers(full);
    for (unsigned i = 0; i < full->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        int number =
            operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(operand->reg.value) : -1;
        if (number >= 0 && (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            bits |= 1u << number;
    }
    return (uint16_t)bits;
}

bool verify_falls_through(const struct verify_full *full)
{
    return full->decoded.meta.category != ZYDIS_CATEGORY_UNCOND_BR &&
           full->decoded.meta.category != ZYDIS_CATEGORY_RET &&
           full->decoded.mnemonic != ZYDIS_MNEMONIC_INT3 && full->decoded.mnemonic != ZYDIS_MNEMONIC_UD2;
}

bool verify_direct_jump(const struct verify_full *full, int64_t *target)
{
    bool is_jump = full->decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
                   full->decoded.meta.category == ZYDIS_CATEGORY_COND_BR;
    if (!is_jump || !full->decoded.raw.imm[0].is_relative)
        return false;
    *target = full->decoded.length + full->decoded.raw.imm[0].value.s;
    return true;
}
