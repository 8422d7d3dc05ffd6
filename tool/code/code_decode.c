/* code_decode.c - the thin layer over Zydis: what every instruction is asked.
 * Takes: bytes.  Gives: struct instruction.  Must not: keep anything between instructions but the shapes, and
 * the last decoder state, from which code_effects.c continues. */
#include "code/code_decoder.h"

struct decoder *decoder_new(struct arena *arena, bool is_64)
{
    struct decoder *decoder = arena_alloc(arena, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->is_64 = is_64;
    decoder->arena = arena;
    prefix_index_init(&decoder->index, arena, MOST_SHAPES);
    ZydisMachineMode mode = is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32;
    ZydisDecoderInit(&decoder->zydis, mode, is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    /* Kernel images carry these; without the modes their bytes decode as other instructions. */
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_CET, ZYAN_TRUE);
    return decoder;
}

/* Categories of which some instruction does not just go on: most others are told apart by one look. */
static const bool changes_flow[ZYDIS_CATEGORY_MAX_VALUE + 1] = {
    [ZYDIS_CATEGORY_CALL] = true,      [ZYDIS_CATEGORY_COND_BR] = true, [ZYDIS_CATEGORY_UNCOND_BR] = true,
    [ZYDIS_CATEGORY_RET] = true,       [ZYDIS_CATEGORY_SYSRET] = true,  [ZYDIS_CATEGORY_MISC] = true,
    [ZYDIS_CATEGORY_INTERRUPT] = true,
};

static enum flow flow_of(const ZydisDecodedInstruction *raw)
{
    if (!changes_flow[raw->meta.category])
        return FLOW_NEXT;
    bool is_direct = raw->raw.imm[0].is_relative;
    switch (raw->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return is_direct ? FLOW_CALL : FLOW_CALL_INDIRECT;
    case ZYDIS_CATEGORY_COND_BR: /* contains xend and xtest too, which do not branch */
        return is_direct ? FLOW_BRANCH : FLOW_NEXT;
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (raw->mnemonic == ZYDIS_MNEMONIC_XABORT)
            return FLOW_NEXT;
        return is_direct ? FLOW_JUMP : FLOW_JUMP_INDIRECT;
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSRET:
        return FLOW_RETURN;
    case ZYDIS_CATEGORY_INTERRUPT:
        if (raw->mnemonic == ZYDIS_MNEMONIC_INT3)
            return FLOW_BREAK;
        /* int 29h is __fastfail, which has no way back. */
        return raw->mnemonic == ZYDIS_MNEMONIC_INT && raw->raw.imm[0].value.u == 0x29 ? FLOW_STOP : FLOW_NEXT;
    default:
        return raw->mnemonic == ZYDIS_MNEMONIC_UD0 || raw->mnemonic == ZYDIS_MNEMONIC_UD1 ||
                       raw->mnemonic == ZYDIS_MNEMONIC_UD2
                   ? FLOW_STOP
                   : FLOW_NEXT;
    }
}

/* enum operation of each mnemonic; OP_OTHER is 0. */
static const uint8_t operations[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
    [ZYDIS_MNEMONIC_NOP] = OP_NOP,
    [ZYDIS_MNEMONIC_LEA] = OP_LEA,
    [ZYDIS_MNEMONIC_MOV] = OP_MOV,
    [ZYDIS_MNEMONIC_MOVSXD] = OP_MOVSXD,
    [ZYDIS_MNEMONIC_MOVZX] = OP_MOVZX,
    [ZYDIS_MNEMONIC_ADD] = OP_ADD,
    [ZYDIS_MNEMONIC_CMP] = OP_CMP,
    [ZYDIS_MNEMONIC_AND] = OP_AND,
    [ZYDIS_MNEMONIC_SUB] = OP_SUB,
    [ZYDIS_MNEMONIC_PUSH] = OP_PUSH,
    [ZYDIS_MNEMONIC_POP] = OP_POP,
    [ZYDIS_MNEMONIC_JNBE] = OP_BRANCH_ABOVE,
    [ZYDIS_MNEMONIC_JNB] = OP_BRANCH_ABOVE_EQUAL,
    [ZYDIS_MNEMONIC_JB] = OP_BRANCH_BELOW,
    [ZYDIS_MNEMONIC_JBE] = OP_BRANCH_BELOW_OR_EQUAL,
    [ZYDIS_MNEMONIC_AAA] = OP_ODD,
    [ZYDIS_MNEMONIC_AAD] = OP_ODD,
    [ZYDIS_MNEMONIC_AAM] = OP_ODD,
    [ZYDIS_MNEMONIC_AAS] = OP_ODD,
    [ZYDIS_MNEMONIC_ARPL] = OP_ODD,
    [ZYDIS_MNEMONIC_BOUND] = OP_ODD,
    [ZYDIS_MNEMONIC_DAA] = OP_ODD,
    [ZYDIS_MNEMONIC_DAS] = OP_ODD,
    [ZYDIS_MNEMONIC_ENTER] = OP_ODD,
    [ZYDIS_MNEMONIC_INSB] = OP_ODD,
    [ZYDIS_MNEMONIC_INSD] = OP_ODD,
    [ZYDIS_MNEMONIC_INSW] = OP_ODD,
    [ZYDIS_MNEMONIC_INTO] = OP_ODD,
    [ZYDIS_MNEMONIC_LDS] = OP_ODD,
    [ZYDIS_MNEMONIC_LES] = OP_ODD,
    [ZYDIS_MNEMONIC_OUTSB] = OP_ODD,
    [ZYDIS_MNEMONIC_OUTSD] = OP_ODD,
    [ZYDIS_MNEMONIC_OUTSW] = OP_ODD,
    [ZYDIS_MNEMONIC_SALC] = OP_ODD,
};

static enum operation operation_of(const ZydisDecodedInstruction *raw)
{
    enum operation operation = (enum operation)operations[raw->mnemonic];
    /* 88 to 8B are the general forms of mov; control, debug and segment registers are not tracked. */
    if (operation == OP_MOV &&
        (raw->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT || raw->opcode == 0x8C || raw->opcode == 0x8E))
        return OP_OTHER;
    return operation;
}

static void fill_memory_registers(const struct decoder *decoder, struct instruction *instruction)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    unsigned rex_b = raw->raw.rex.B * 8U, rex_x = raw->raw.rex.X * 8U; /* all 0 without the prefix */
    uint8_t mod = raw->raw.modrm.mod, rm = raw->raw.modrm.rm;
    if (raw->attributes & ZYDIS_ATTRIB_HAS_SIB) {
        uint8_t index = (uint8_t)(raw->raw.sib.index | rex_x);
        if (index != STACK_REGISTER) /* 4 without REX.X means "no index" */
            instruction->index = index;
        instruction->scale = (uint8_t)(1u << raw->raw.sib.scale);
        if (raw->raw.sib.base != 5 || mod != 0)
            instruction->base = (uint8_t)(raw->raw.sib.base | rex_b);
    } else if (mod != 0 || rm != 5) {
        instruction->base = (uint8_t)(rm | rex_b);
    }
}

static void fill_modrm(const struct decoder *decoder, struct instruction *instruction)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    instruction->has_modrm = true;
    instruction->is_legacy = raw->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
    instruction->has_register_operand = raw->raw.modrm.mod == 3;
    /* In 64-bit mode mod=00 r/m=101 without SIB is relative to the next instruction for every encoding. */
    instruction->is_rip_relative = decoder->is_64 && raw->raw.modrm.mod == 0 && raw->raw.modrm.rm == 5;
    if (!instruction->is_legacy || raw->address_width == 16)
        return;
    instruction->reg = (uint8_t)(raw->raw.modrm.reg | raw->raw.rex.R * 8U);
    if (instruction->has_register_operand)
        instruction->rm = (uint8_t)(raw->raw.modrm.rm | raw->raw.rex.B * 8U);
    else if (!instruction->is_rip_relative)
        fill_memory_registers(decoder, instruction);
}

/* All but the values. */
static void make_shape(const struct decoder *decoder, struct shape *shape)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    *shape = (struct shape){.plain = {.base = NO_REGISTER, .index = NO_REGISTER, .scale = 1},
                            .imm_is_signed = raw->raw.imm[0].is_signed};
    struct instruction *instruction = &shape->plain;
    instruction->nbytes = raw->length;
    instruction->flow = (uint8_t)flow_of(raw);
    instruction->operation = (uint8_t)operation_of(raw);
    instruction->opcode = raw->opcode;
    instruction->is_one_byte_map =
        raw->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && raw->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
    instruction->disp_offset = raw->raw.disp.offset;
    instruction->disp_nbytes = raw->raw.disp.size / 8;
    if (raw->attributes & ZYDIS_ATTRIB_HAS_MODRM)
        fill_modrm(decoder, instruction);
    if (raw->raw.imm[0].is_relative) {
        instruction->rel_offset = raw->raw.imm[0].offset;
        instruction->rel_nbytes = raw->raw.imm[0].size / 8;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        instruction->imm_offset[i] = raw->raw.imm[i].offset;
        instruction->imm_nbytes[i] = raw->raw.imm[i].size / 8;
    }
}

/* How many bytes make the shape of the instruction in raw; 0 when it is not known that only these do. */
static size_t shape_nbytes(const ZydisDecodedInstruction *raw)
{
    /* 3DNow! has its opcode behind the displacement; others are rare. What `int` does, its immediate says. */
    if (raw->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || raw->mnemonic == ZYDIS_MNEMONIC_INT)
        return 0;
    return raw->raw.disp.size != 0     ? raw->raw.disp.offset
           : raw->raw.imm[0].size != 0 ? raw->raw.imm[0].offset
                                       : raw->length;
}

static struct shape *shape_at(const struct decoder *decoder, uint32_t number)
{
    return &decoder->shapes[number / SHAPES_TOGETHER][number % SHAPES_TOGETHER];
}

/* The shape of the instruction in raw, which begins with these bytes. */
static struct shape *keep_shape(struct decoder *decoder, const uint8_t *bytes)
{
    struct shape *shape = &decoder->unkept;
    size_t nbytes = shape_nbytes(&decoder->raw);
    if (nbytes != 0 && decoder->index.count < MOST_SHAPES) {
        struct shape **array = &decoder->shapes[decoder->index.count / SHAPES_TOGETHER];
        if (!*array)
            *array = arena_alloc_unset(decoder->arena, SHAPES_TOGETHER * sizeof **array);
        uint32_t number = *array ? prefix_index_add(&decoder->index, bytes, nbytes) : PREFIX_NONE;
        if (number != PREFIX_NONE)
            shape = shape_at(decoder, number);
    }
    make_shape(decoder, shape);
    return shape;
}

static int64_t load_signed(const uint8_t *bytes, unsigned nbytes)
{
    uint64_t value = load_width(bytes, nbytes);
    unsigned unused_bits = 64 - 8 * nbytes;
    return nbytes == 0 ? 0 : (int64_t)(value << unused_bits) >> unused_bits;
}

static void fill_branch(const struct decoder *decoder, const uint8_t *bytes, struct instruction *instruction)
{
    int64_t target = (int64_t)instruction_end_rva(instruction) +
                     load_signed(bytes + instruction->rel_offset, instruction->rel_nbytes);
    if (!decoder->is_64)
        target = (int64_t)(uint32_t)target; /* EIP wraps */
    /* A 16-bit branch cuts EIP to 16 bits; it leads nowhere in an image. */
    instruction->target_fits = instruction->rel_nbytes != 2 && target >= 0 && target <= UINT32_MAX;
    instruction->target_rva = instruction->target_fits ? (uint32_t)target : 0;
}

static void fill_values(const struct decoder *decoder, const struct shape *shape, const uint8_t *bytes,
                        struct instruction *instruction)
{
    if (instruction->disp_nbytes != 0)
        instruction->disp = load_signed(bytes + instruction->disp_offset, instruction->disp_nbytes);
    if (instruction->rel_nbytes != 0) {
        fill_branch(decoder, bytes, instruction);
    } else if (instruction->imm_nbytes[0] != 0) {
        const uint8_t *at = bytes + instruction->imm_offset[0];
        unsigned nbytes = instruction->imm_nbytes[0];
        instruction->imm = shape->imm_is_signed ? (uint64_t)load_signed(at, nbytes) : load_width(at, nbytes);
    }
}

static bool decode_raw(struct decoder *decoder, const uint8_t *bytes, size_t nbytes)
{
    decoder->has_raw = ZYAN_SUCCESS(
        ZydisDecoderDecodeInstruction(&decoder->zydis, &decoder->context, bytes, nbytes, &decoder->raw));
    return decoder->has_raw;
}

bool decoder_need_raw(struct decoder *decoder)
{
    return decoder->has_raw ||
           (decoder->last && decode_raw(decoder, decoder->bytes, decoder->last->plain.nbytes));
}

bool decode(struct decoder *decoder, const uint8_t *bytes, size_t available_nbytes, uint32_t rva,
            struct instruction *instruction)
{
    if (available_nbytes > INSTRUCTION_MAX_NBYTES)
        available_nbytes = INSTRUCTION_MAX_NBYTES;
    uint32_t number = prefix_index_find(&decoder->index, bytes, available_nbytes);
    struct shape *shape = NULL;
    if (number != PREFIX_NONE) {
        shape = shape_at(decoder, number);
        if (shape->plain.nbytes > available_nbytes)
            return false;
        decoder->has_raw = false;
    } else {
        if (!decode_raw(decoder, bytes, available_nbytes))
            return false;
        shape = keep_shape(decoder, bytes);
    }
    decoder->last = shape;
    memcpy(decoder->bytes, bytes, shape->plain.nbytes);
    *instruction = shape->plain;
    instruction->rva = rva;
    fill_values(decoder, shape, bytes, instruction);
    return true;
}

bool instruction_is_fill(const struct instruction *instruction)
{
    if (instruction->operation == OP_NOP)
        return true;
    if (instruction->operation == OP_MOV)
        return instruction->has_register_operand && instruction->reg == instruction->rm;
    return instruction->operation == OP_LEA && !instruction->is_rip_relative && instruction->disp == 0 &&
           instruction->index == NO_REGISTER && instruction->base == instruction->reg;
}
