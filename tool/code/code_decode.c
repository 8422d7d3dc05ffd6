/* code_decode.c - the thin layer over Zydis.
 * Takes: bytes.  Gives: struct instruction.  Must not: keep anything between instructions but the last
 * decoder state, which decode_memory() continues from. */
#include "code/code_decode.h"

#include <Zydis/Zydis.h>

struct decoder {
    ZydisDecoder zydis;
    ZydisDecodedInstruction raw; /* of the last decode() */
    ZydisDecoderContext context;
    bool is_64;
};

struct decoder *decoder_new(struct arena *arena, bool is_64)
{
    struct decoder *decoder = arena_alloc(arena, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->is_64 = is_64;
    ZydisMachineMode mode = is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32;
    ZydisDecoderInit(&decoder->zydis, mode, is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    /* Kernel images carry these; without the modes their bytes decode as other instructions. */
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_CET, ZYAN_TRUE);
    return decoder;
}

static enum flow flow_of(const ZydisDecodedInstruction *raw)
{
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
        break;
    }
    if (raw->mnemonic == ZYDIS_MNEMONIC_UD0 || raw->mnemonic == ZYDIS_MNEMONIC_UD1 ||
        raw->mnemonic == ZYDIS_MNEMONIC_UD2)
        return FLOW_STOP;
    return FLOW_NEXT;
}

static enum operation operation_of(const ZydisDecodedInstruction *raw)
{
    switch (raw->mnemonic) {
    case ZYDIS_MNEMONIC_NOP:
        return OP_NOP;
    case ZYDIS_MNEMONIC_LEA:
        return OP_LEA;
    case ZYDIS_MNEMONIC_MOV:
        /* 88 to 8B are the general forms; control, debug and segment registers are not tracked. */
        return raw->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && raw->opcode != 0x8C && raw->opcode != 0x8E
                   ? OP_MOV
                   : OP_OTHER;
    case ZYDIS_MNEMONIC_MOVSXD:
        return OP_MOVSXD;
    case ZYDIS_MNEMONIC_MOVZX:
        return OP_MOVZX;
    case ZYDIS_MNEMONIC_ADD:
        return OP_ADD;
    case ZYDIS_MNEMONIC_CMP:
        return OP_CMP;
    case ZYDIS_MNEMONIC_AND:
        return OP_AND;
    case ZYDIS_MNEMONIC_SUB:
        return OP_SUB;
    case ZYDIS_MNEMONIC_PUSH:
        return OP_PUSH;
    case ZYDIS_MNEMONIC_POP:
        return OP_POP;
    case ZYDIS_MNEMONIC_JNBE:
        return OP_BRANCH_ABOVE;
    case ZYDIS_MNEMONIC_JNB:
        return OP_BRANCH_ABOVE_EQUAL;
    case ZYDIS_MNEMONIC_JB:
        return OP_BRANCH_BELOW;
    case ZYDIS_MNEMONIC_JBE:
        return OP_BRANCH_BELOW_OR_EQUAL;
    case ZYDIS_MNEMONIC_AAA:
    case ZYDIS_MNEMONIC_AAD:
    case ZYDIS_MNEMONIC_AAM:
    case ZYDIS_MNEMONIC_AAS:
    case ZYDIS_MNEMONIC_ARPL:
    case ZYDIS_MNEMONIC_BOUND:
    case ZYDIS_MNEMONIC_DAA:
    case ZYDIS_MNEMONIC_DAS:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSD:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INTO:
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSD:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_SALC:
        return OP_ODD;
    default:
        return OP_OTHER;
    }
}

static void fill_memory_registers(const struct decoder *decoder, struct instruction *instruction)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    uint8_t rex_b = (uint8_t)((raw->attributes & ZYDIS_ATTRIB_HAS_REX) && raw->raw.rex.B ? 8 : 0);
    uint8_t rex_x = (uint8_t)((raw->attributes & ZYDIS_ATTRIB_HAS_REX) && raw->raw.rex.X ? 8 : 0);
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
    bool has_rex = raw->attributes & ZYDIS_ATTRIB_HAS_REX;
    instruction->reg = (uint8_t)(raw->raw.modrm.reg | (has_rex && raw->raw.rex.R ? 8 : 0));
    if (instruction->has_register_operand)
        instruction->rm = (uint8_t)(raw->raw.modrm.rm | (has_rex && raw->raw.rex.B ? 8 : 0));
    else if (!instruction->is_rip_relative)
        fill_memory_registers(decoder, instruction);
}

static void fill_branch(const struct decoder *decoder, struct instruction *instruction)
{
    const ZydisDecodedInstruction *raw = &decoder->raw;
    instruction->rel_offset = raw->raw.imm[0].offset;
    instruction->rel_nbytes = raw->raw.imm[0].size / 8;
    int64_t target = (int64_t)instruction_end_rva(instruction) + raw->raw.imm[0].value.s;
    if (!decoder->is_64)
        target = (int64_t)(uint32_t)target; /* EIP wraps */
    /* A 16-bit branch cuts EIP to 16 bits; it leads nowhere in an image. */
    instruction->target_fits = instruction->rel_nbytes != 2 && target >= 0 && target <= UINT32_MAX;
    instruction->target_rva = instruction->target_fits ? (uint32_t)target : 0;
}

bool decode(struct decoder *decoder, const uint8_t *bytes, size_t available_nbytes, uint32_t rva,
            struct instruction *instruction)
{
    ZydisDecodedInstruction *raw = &decoder->raw;
    if (available_nbytes > INSTRUCTION_MAX_NBYTES)
        available_nbytes = INSTRUCTION_MAX_NBYTES;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeInstruction(&decoder->zydis, &decoder->context, bytes, available_nbytes, raw)))
        return false;
    *instruction = (struct instruction){
        .rva = rva,
        .nbytes = raw->length,
        .flow = (uint8_t)flow_of(raw),
        .operation = (uint8_t)operation_of(raw),
        .opcode = raw->opcode,
        .is_one_byte_map =
            raw->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && raw->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT,
        .disp_offset = raw->raw.disp.offset,
        .disp_nbytes = raw->raw.disp.size / 8,
        .disp = raw->raw.disp.value,
        .base = NO_REGISTER,
        .index = NO_REGISTER,
        .scale = 1,
    };
    if (raw->attributes & ZYDIS_ATTRIB_HAS_MODRM)
        fill_modrm(decoder, instruction);
    if (raw->raw.imm[0].is_relative) {
        fill_branch(decoder, instruction);
        return true;
    }
    for (unsigned i = 0; i < 2; i++) {
        instruction->imm_offset[i] = raw->raw.imm[i].offset;
        instruction->imm_nbytes[i] = raw->raw.imm[i].size / 8;
    }
    instruction->imm = raw->raw.imm[0].value.u;
    return true;
}

static uint8_t register_number(ZydisRegister value)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(value);
    if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32)
        return NO_REGISTER;
    ZyanI8 id = ZydisRegisterGetId(value);
    return id >= 0 && id < REGISTER_COUNT ? (uint8_t)id : NO_REGISTER;
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

bool decode_memory(struct decoder *decoder, struct memory_operand *memory)
{
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedInstruction *raw = &decoder->raw;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder->zydis, &decoder->context, raw, operands,
                                                 raw->operand_count_visible)))
        return false;
    for (unsigned i = 0; i < raw->operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        unsigned nbytes = operand->size / 8u;
        memory->access = (uint8_t)access_of(raw, operand);
        memory->nbytes = (uint8_t)(memory->access == ACCESS_ADDRESS ? 0 : nbytes < 255 ? nbytes : 255);
        memory->base = register_number(operand->mem.base);
        memory->index = register_number(operand->mem.index);
        return true;
    }
    return false;
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
