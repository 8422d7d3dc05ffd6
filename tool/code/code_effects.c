/* code_effects.c - what the instruction that was decoded last does with its operands.
 * Takes: the decoder's state.  Gives: its memory operand, and its effects on registers and memory.
 * Must not: decode anew, or name instructions where the decoder tells what they do. */
#include "code/code_decoder.h"

uint8_t decoder_register_number(ZydisRegister value)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(value);
    if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32)
        return NO_REGISTER;
    ZyanI8 id = ZydisRegisterGetId(value);
    return id >= 0 && id < REGISTER_COUNT ? (uint8_t)id : NO_REGISTER;
}

bool decoder_operands(struct decoder *decoder, ZydisDecodedOperand operands[static ZYDIS_MAX_OPERAND_COUNT])
{
    return decoder_need_raw(decoder) &&
           ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder->zydis, &decoder->context, &decoder->raw,
                                                   operands, decoder->raw.operand_count));
}

static enum ref_access access_of(const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operand)
{
    if (operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN || operand->mem.type == ZYDIS_MEMOP_TYPE_MIB)
        return ACCESS_ADDRESS;
    if (raw->meta.category == ZYDIS_CATEGORY_CALL)
        return ACCESS_CALL;
    if (raw->meta.category == ZYDIS_CATEGORY_UNCOND_BR)
        return ACCESS_JUMP;
    if (raw->meta.category == ZYDIS_CATEGORY_PREFETCH || raw->mnemonic == ZYDIS_MNEMONIC_NOP)
        return ACCESS_READ; /* touches nothing */
    bool reads = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
    bool writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
    if (writes)
        return reads ? ACCESS_READ_WRITE : ACCESS_WRITE;
    /* An operand without any action is taken for the worst that is not a store: its address escapes. */
    return reads ? ACCESS_READ : ACCESS_ADDRESS;
}

static bool find_memory(struct decoder *decoder, struct memory_operand *memory)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedInstruction *raw = &decoder->raw;
    if (!decoder_need_raw(decoder) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder->zydis, &decoder->context, raw, operands,
                                                 raw->operand_count_visible)))
        return false;
    for (unsigned i = 0; i < raw->operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        unsigned nbytes = operand->size / 8u;
        memory->access = (uint8_t)access_of(raw, operand);
        memory->nbytes = (uint8_t)(memory->access == ACCESS_ADDRESS ? 0 : nbytes < 255 ? nbytes : 255);
        memory->base = decoder_register_number(operand->mem.base);
        memory->index = decoder_register_number(operand->mem.index);
        return true;
    }
    return false;
}

bool decode_memory(struct decoder *decoder, struct memory_operand *memory)
{
    struct shape *shape = decoder->last;
    if (shape->has_memory == ANSWER_NONE)
        shape->has_memory = find_memory(decoder, &shape->memory) ? ANSWER_YES : ANSWER_NO;
    if (shape->has_memory == ANSWER_YES)
        *memory = shape->memory;
    return shape->has_memory == ANSWER_YES;
}

static uint32_t register_bit(ZydisRegister value)
{
    uint8_t number = decoder_register_number(value);
    return number != NO_REGISTER ? UINT32_C(1) << number : 0;
}

/* The general register that a register operand is or is part of. */
static uint32_t general_register(const struct decoder *decoder, const ZydisDecodedOperand *operand)
{
    return register_bit(ZydisRegisterGetLargestEnclosing(decoder->zydis.machine_mode, operand->reg.value));
}

static void add_memory(const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operand,
                       struct instruction_effects *effects)
{
    uint32_t registers = register_bit(operand->mem.base) | register_bit(operand->mem.index);
    switch (access_of(raw, operand)) {
    case ACCESS_ADDRESS:
        effects->computes_with |= registers;
        break;
    case ACCESS_WRITE:
    case ACCESS_READ_WRITE:
        effects->stores_through |= registers;
        break;
    default: /* a read, or a branch through memory */
        break;
    }
}

/* A register operand; a `bit` of 0 stands for every other operand. */
struct register_use {
    uint32_t bit;
    bool reads, writes;
    bool is_address; /* wide enough for one */
    bool is_whole; /* a write that happens leaves nothing of the old value: on x64, 32 bits clear the upper */
    bool is_certain; /* it is written whatever the flags and counters say */
};

static struct register_use use_of(const struct decoder *decoder, const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
        return (struct register_use){0};
    return (struct register_use){.bit = general_register(decoder, operand),
                                 .reads = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
                                 .writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
                                 .is_address = operand->size == (decoder->is_64 ? 64 : 32),
                                 .is_whole = operand->size >= 32,
                                 .is_certain = operand->actions & ZYDIS_OPERAND_ACTION_WRITE};
}

/* The value arrives as it was: the one thing that operands' actions do not tell. */
static bool is_move(const ZydisDecodedInstruction *raw)
{
    return raw->mnemonic == ZYDIS_MNEMONIC_MOV || raw->mnemonic == ZYDIS_MNEMONIC_XCHG ||
           raw->meta.category == ZYDIS_CATEGORY_CMOV;
}

/* Of a register and itself: the result does not depend on it. */
static bool is_clearing(const ZydisDecodedInstruction *raw)
{
    return raw->mnemonic == ZYDIS_MNEMONIC_XOR || raw->mnemonic == ZYDIS_MNEMONIC_SUB ||
           raw->mnemonic == ZYDIS_MNEMONIC_SBB;
}

/* The other side of a move may be memory or an immediate. */
static void add_move(const ZydisDecodedInstruction *raw, struct register_use to, struct register_use from,
                     struct instruction_effects *effects)
{
    bool is_exchange = raw->mnemonic == ZYDIS_MNEMONIC_XCHG;
    if (to.is_address && from.is_address) {
        effects->moved_to[0] = to.bit;
        effects->moved_from[0] = from.bit;
        effects->moved_to[1] = is_exchange ? from.bit : 0;
        effects->moved_from[1] = is_exchange ? to.bit : 0;
    }
    if (to.is_whole && to.is_certain)
        effects->overwritten |= to.bit;
    if (is_exchange && from.is_whole)
        effects->overwritten |= from.bit;
}

/* The operands that the instruction names: a result made of a register is computed with it. What is written
 * without being read, and what is only compared, is not. */
static void add_named(const struct decoder *decoder, const ZydisDecodedOperand *operands,
                      struct instruction_effects *effects)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    struct register_use first = {0}, second = {0};
    if (raw->operand_count_visible > 0)
        first = use_of(decoder, &operands[0]);
    if (raw->operand_count_visible > 1)
        second = use_of(decoder, &operands[1]);
    effects->pushed = raw->meta.category == ZYDIS_CATEGORY_PUSH && first.is_address ? first.bit : 0;
    effects->popped = raw->meta.category == ZYDIS_CATEGORY_POP && first.is_address ? first.bit : 0;
    if (is_move(raw)) {
        add_move(raw, first, second, effects);
        return;
    }
    if (is_clearing(raw) && first.is_whole && first.bit == second.bit) {
        effects->overwritten |= first.bit;
        return;
    }
    uint32_t read = 0, written = 0;
    for (unsigned i = 0; i < raw->operand_count_visible; i++) {
        struct register_use use = use_of(decoder, &operands[i]);
        /* Of the whole address, or of its low bytes in place; a result of 32 bits is none on x64. */
        read |= use.reads && (use.is_address || (use.writes && !use.is_whole)) ? use.bit : 0;
        written |= use.writes ? use.bit : 0;
        effects->overwritten |=
            use.is_certain && use.is_whole && !(use.reads && use.is_address) ? use.bit : 0;
    }
    effects->computes_with |= written != 0 ? read : 0;
}

static bool find_effects(struct decoder *decoder, struct instruction_effects *effects)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedInstruction *raw = &decoder->raw;
    if (!decoder_operands(decoder, operands))
        return false;
    if (raw->mnemonic == ZYDIS_MNEMONIC_NOP)
        return true;
    add_named(decoder, operands, effects);
    for (unsigned i = 0; i < raw->operand_count; i++) {
        struct register_use use = use_of(decoder, &operands[i]);
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            add_memory(raw, &operands[i], effects);
        else if (i >= raw->operand_count_visible && use.is_certain && !use.reads && use.is_whole)
            effects->overwritten |= use.bit; /* without being named: rdx of a multiplication */
    }
    return true;
}

bool decode_effects(struct decoder *decoder, struct instruction_effects *effects)
{
    struct shape *shape = decoder->last;
    if (shape->has_effects == ANSWER_NONE)
        shape->has_effects = find_effects(decoder, &shape->effects) ? ANSWER_YES : ANSWER_NO;
    *effects = shape->effects;
    return shape->has_effects == ANSWER_YES;
}
