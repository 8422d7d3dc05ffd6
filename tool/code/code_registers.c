/* code_registers.c - which general registers the instruction that was decoded last reads and writes.
 * Takes: the decoder's state.  Gives: sets of registers.  Must not: judge what the values are. */
#include "code/code_decoder.h"

/* AL to R15B, AX to R15W: writing them keeps the rest of the register. */
static uint16_t partial_register_bit(ZydisRegister value)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(value);
    if (class != ZYDIS_REGCLASS_GPR8 && class != ZYDIS_REGCLASS_GPR16)
        return 0;
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, value);
    uint8_t number = decoder_register_number(whole);
    return (uint16_t)(number == NO_REGISTER ? 0U : 1U << number);
}

static uint16_t whole_register_bit(ZydisRegister value)
{
    uint8_t number = decoder_register_number(value);
    return (uint16_t)(number == NO_REGISTER ? 0U : 1U << number);
}

static void add_register(const ZydisDecodedOperand *operand, struct register_sets *use)
{
    uint16_t whole = whole_register_bit(operand->reg.value), part = partial_register_bit(operand->reg.value);
    bool writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    bool is_certain = operand->actions & ZYDIS_OPERAND_ACTION_WRITE;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
        use->reads |= whole | part;
    if (writes && is_certain)
        use->writes |= whole;
    if (writes && !is_certain)
        use->reads |= whole;
    if (writes) {
        use->reads |= part;
        use->changes |= whole | part;
    }
}

/* Of a register and itself: the result does not depend on it. */
static bool is_clearing(const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands)
{
    bool clears = raw->mnemonic == ZYDIS_MNEMONIC_XOR || raw->mnemonic == ZYDIS_MNEMONIC_SUB;
    return clears && raw->operand_count_visible == 2 && operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           operands[0].reg.value == operands[1].reg.value && operands[0].size >= 32;
}

static bool find_registers(struct decoder *decoder, struct register_sets *use)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedInstruction *raw = &decoder->raw;
    if (!decoder_operands(decoder, operands))
        return false;
    for (unsigned i = 0; i < raw->operand_count; i++) {
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
            add_register(&operands[i], use);
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            use->addresses |=
                whole_register_bit(operands[i].mem.base) | whole_register_bit(operands[i].mem.index);
    }
    if (is_clearing(raw, operands))
        use->reads = 0;
    return true;
}

bool decode_registers(struct decoder *decoder, struct register_sets *use)
{
    struct shape *shape = decoder->last;
    if (shape->has_registers == ANSWER_NONE)
        shape->has_registers = find_registers(decoder, &shape->registers) ? ANSWER_YES : ANSWER_NO;
    *use = shape->registers;
    return shape->has_registers == ANSWER_YES;
}
