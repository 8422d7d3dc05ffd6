/* verify_registers.c - what one instruction does with the general registers.
 * Takes: bytes.  Gives: sets of registers.  Must not: follow control flow. */
#include "verify/verify_registers.h"

enum { REGISTER_COUNT = 16 };

bool verify_decode_full(const struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_full *full)
{
    if (at >= section->bytes.nbytes)
        return false;
    size_t left_nbytes = section->bytes.nbytes - at;
    return ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&code->decoder.zydis, section->bytes.bytes + at,
                               left_nbytes < INSTRUCTION_MAX_NBYTES ? left_nbytes : INSTRUCTION_MAX_NBYTES,
                               &full->decoded, full->operands));
}

int verify_register_number(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return -1;
    ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
    int number = (int)wide - (int)ZYDIS_REGISTER_RAX;
    return number >= 0 && number < REGISTER_COUNT ? number : -1;
}

bool verify_holds(uint16_t set, ZydisRegister reg)
{
    int number = verify_register_number(reg);
    return number >= 0 && (set >> number & 1);
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
