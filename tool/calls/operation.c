/* operation.c - what the decoder library says of an instruction, in the words of operation.h.
 * Takes: bytes.  Gives: struct operation.  Must not: look at opcodes: mnemonics and operands say all. */
#include "calls/operation_raw.h"

#include "calls/value.h"

static uint8_t register_number(ZydisRegister name)
{
    switch (ZydisRegisterGetClass(name)) {
    case ZYDIS_REGCLASS_GPR64:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR16:
        return (uint8_t)ZydisRegisterGetId(name);
    case ZYDIS_REGCLASS_GPR8:
        if (name >= ZYDIS_REGISTER_AH && name <= ZYDIS_REGISTER_BH)
            return (uint8_t)(name - ZYDIS_REGISTER_AH);
        if (name <= ZYDIS_REGISTER_BL)
            return (uint8_t)(name - ZYDIS_REGISTER_AL);
        return (uint8_t)(name - ZYDIS_REGISTER_SPL + REGISTER_SP);
    default:
        return NO_MACHINE_REGISTER;
    }
}

static const struct {
    ZydisMnemonic mnemonic;
    uint8_t kind, compute;
} mnemonics[] = {
    {ZYDIS_MNEMONIC_MOV, DOES_MOVE, 0},
    {ZYDIS_MNEMONIC_MOVZX, DOES_MOVE, 0},
    {ZYDIS_MNEMONIC_MOVSX, DOES_MOVE_SIGNED, 0},
    {ZYDIS_MNEMONIC_MOVSXD, DOES_MOVE_SIGNED, 0},
    {ZYDIS_MNEMONIC_LEA, DOES_ADDRESS, 0},
    {ZYDIS_MNEMONIC_ADD, DOES_COMPUTE, VALUE_ADD},
    {ZYDIS_MNEMONIC_SUB, DOES_COMPUTE, VALUE_SUB},
    {ZYDIS_MNEMONIC_AND, DOES_COMPUTE, VALUE_AND},
    {ZYDIS_MNEMONIC_OR, DOES_COMPUTE, VALUE_OR},
    {ZYDIS_MNEMONIC_XOR, DOES_COMPUTE, VALUE_XOR},
    {ZYDIS_MNEMONIC_SHL, DOES_COMPUTE, VALUE_SHIFT_LEFT},
    {ZYDIS_MNEMONIC_SHR, DOES_COMPUTE, VALUE_SHIFT_RIGHT},
    {ZYDIS_MNEMONIC_INC, DOES_INCREMENT, 0},
    {ZYDIS_MNEMONIC_DEC, DOES_DECREMENT, 0},
    {ZYDIS_MNEMONIC_NEG, DOES_NEGATE, 0},
    {ZYDIS_MNEMONIC_NOT, DOES_COMPLEMENT, 0},
    {ZYDIS_MNEMONIC_SBB, DOES_SUBTRACT_BORROW, 0},
    {ZYDIS_MNEMONIC_XCHG, DOES_EXCHANGE, 0},
    {ZYDIS_MNEMONIC_PUSH, DOES_PUSH, 0},
    {ZYDIS_MNEMONIC_POP, DOES_POP, 0},
    {ZYDIS_MNEMONIC_LEAVE, DOES_LEAVE, 0},
    {ZYDIS_MNEMONIC_INT3, DOES_STOP, 0},
    {ZYDIS_MNEMONIC_UD2, DOES_STOP, 0},
    {ZYDIS_MNEMONIC_HLT, DOES_NOTHING, 0},
    {ZYDIS_MNEMONIC_CMP, DOES_COMPARE, 0},
    {ZYDIS_MNEMONIC_TEST, DOES_TEST, 0},
};

/* What instructions of one family all do. False for a family whose members differ. */
static bool set_kind_of_category(struct operation *operation, const ZydisDecodedInstruction *raw)
{
    switch (raw->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        operation->kind = DOES_CALL;
        return true;
    case ZYDIS_CATEGORY_UNCOND_BR:
        operation->kind = DOES_JUMP;
        return true;
    case ZYDIS_CATEGORY_COND_BR:
        operation->kind = DOES_BRANCH;
        operation->condition = raw->mnemonic == ZYDIS_MNEMONIC_JZ    ? BRANCH_IF_EQUAL
                               : raw->mnemonic == ZYDIS_MNEMONIC_JNZ ? BRANCH_IF_NOT_EQUAL
                                                                     : BRANCH_OTHER;
        return true;
    case ZYDIS_CATEGORY_RET:
        operation->kind = DOES_RETURN;
        return true;
    case ZYDIS_CATEGORY_CMOV:
        operation->kind = DOES_MOVE_MAYBE;
        return true;
    case ZYDIS_CATEGORY_SETCC:
        operation->kind = DOES_SET_FLAG;
        return true;
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
        operation->kind = DOES_NOTHING;
        return true;
    default:
        return false;
    }
}

static void set_kind(struct operation *operation, const ZydisDecodedInstruction *raw)
{
    operation->kind = DOES_OTHER;
    if (set_kind_of_category(operation, raw))
        return;
    for (size_t i = 0; i < sizeof mnemonics / sizeof mnemonics[0]; i++) {
        if (mnemonics[i].mnemonic == raw->mnemonic) {
            operation->kind = mnemonics[i].kind;
            operation->compute = mnemonics[i].compute;
            return;
        }
    }
}

static void read_operand(bool is_64, const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *from,
                         uint32_t end_rva, struct operand *to)
{
    *to = (struct operand){
        .reg = NO_MACHINE_REGISTER, .base = NO_MACHINE_REGISTER, .index = NO_MACHINE_REGISTER};
    to->nbytes = (uint8_t)(from->size / 8 < 255 ? from->size / 8 : 255);
    to->is_written = (from->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    switch (from->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        to->kind = OPERAND_REGISTER;
        if (ZydisRegisterGetClass(from->reg.value) == ZYDIS_REGCLASS_CONTROL) {
            to->kind = OPERAND_CONTROL;
            to->reg = (uint8_t)ZydisRegisterGetId(from->reg.value);
            break;
        }
        to->reg = register_number(from->reg.value);
        to->is_high_byte = from->reg.value >= ZYDIS_REGISTER_AH && from->reg.value <= ZYDIS_REGISTER_BH;
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to->kind = OPERAND_CONSTANT;
        to->number = from->imm.is_signed ? from->imm.value.s : (int64_t)from->imm.value.u;
        to->field_offset = raw->raw.imm[0].offset;
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        to->kind = OPERAND_MEMORY;
        to->base = register_number(from->mem.base);
        to->index = register_number(from->mem.index);
        to->scale = from->mem.scale;
        to->number = from->mem.disp.has_displacement ? from->mem.disp.value : 0;
        to->field_offset = from->mem.disp.has_displacement ? raw->raw.disp.offset : 0;
        to->is_rip_relative = from->mem.base == ZYDIS_REGISTER_RIP;
        to->has_segment = from->mem.segment == ZYDIS_REGISTER_FS || from->mem.segment == ZYDIS_REGISTER_GS;
        /* A displacement alone is an address (x86), one behind RIP an RVA. */
        to->has_place = to->is_rip_relative || (!is_64 && from->mem.base == ZYDIS_REGISTER_NONE &&
                                                from->mem.index == ZYDIS_REGISTER_NONE && !to->has_segment);
        if (to->is_rip_relative)
            to->number = (int64_t)(uint32_t)(end_rva + (uint32_t)to->number);
        break;
    default:
        break;
    }
}

/* Clearing or setting a bit with a number is `and` or `or` with a number. */
static void change_bit_work(struct operation *operation, const ZydisDecodedInstruction *raw)
{
    struct operand *first = &operation->operands[0], *second = &operation->operands[1];
    bool is_bit = raw->mnemonic == ZYDIS_MNEMONIC_BTR || raw->mnemonic == ZYDIS_MNEMONIC_BTS;
    if (!is_bit || operation->operand_count < 2 || second->kind != OPERAND_CONSTANT || first->nbytes > 8)
        return;
    uint64_t bit = UINT64_C(1) << ((uint64_t)second->number & (first->nbytes * 8u - 1));
    bool sets = raw->mnemonic == ZYDIS_MNEMONIC_BTS;
    operation->kind = DOES_COMPUTE;
    operation->keeps_zero_flag = true;
    operation->compute = sets ? VALUE_OR : VALUE_AND;
    second->number = (int64_t)(sets ? bit : ~bit);
}

/* A bit whose number is in a register lies anywhere before or behind the memory that is named. */
static void find_bit(struct operation *operation, const ZydisDecodedInstruction *raw)
{
    struct operand *first = &operation->operands[0];
    if ((raw->mnemonic != ZYDIS_MNEMONIC_BTR && raw->mnemonic != ZYDIS_MNEMONIC_BTS &&
         raw->mnemonic != ZYDIS_MNEMONIC_BTC) ||
        operation->operand_count < 2 || first->kind != OPERAND_MEMORY ||
        operation->operands[1].kind != OPERAND_REGISTER)
        return;
    first->index = operation->operands[1].reg;
    first->has_place = false;
}

/* Where a string instruction writes: the memory operand that it does not show. */
static void find_string(struct operation *operation, const ZydisDecodedInstruction *raw,
                        const ZydisDecodedOperand *operand)
{
    if (raw->meta.category != ZYDIS_CATEGORY_STRINGOP && raw->meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
        return;
    operation->string_reg = register_number(operand->mem.base);
    operation->string_nbytes = (uint8_t)(operand->size / 8);
    operation->is_repeated =
        (raw->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
}

static bool is_stack_work(const struct operation *operation)
{
    return operation->kind == DOES_PUSH || operation->kind == DOES_CALL || operation->kind == DOES_POP ||
           operation->kind == DOES_LEAVE || operation->kind == DOES_RETURN;
}

void operation_set_target(struct operation *operation)
{
    const struct operand *first = &operation->operands[0];
    if (operation->operand_count == 0 || first->kind != OPERAND_CONSTANT)
        return;
    if (operation->kind == DOES_CALL || operation->kind == DOES_JUMP || operation->kind == DOES_BRANCH) {
        operation->has_target = true;
        operation->target_rva = operation->rva + operation->nbytes + (uint32_t)first->number;
    }
    if (operation->kind == DOES_RETURN)
        operation->return_nbytes = (uint16_t)first->number;
}

void operation_from_raw(bool is_64, const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands,
                        uint32_t rva, struct operation *operation)
{
    *operation = (struct operation){.rva = rva, .nbytes = raw->length, .string_reg = NO_MACHINE_REGISTER};
    uint32_t end_rva = rva + raw->length;
    set_kind(operation, raw);
    for (unsigned i = 0; i < raw->operand_count; i++) {
        const ZydisDecodedOperand *from = &operands[i];
        bool is_visible = i < raw->operand_count_visible;
        if (from->type == ZYDIS_OPERAND_TYPE_REGISTER && (from->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
            uint8_t number = register_number(from->reg.value);
            if (number != NO_MACHINE_REGISTER)
                operation->written |= (uint16_t)(1u << number);
        }
        if (from->type == ZYDIS_OPERAND_TYPE_MEMORY && (from->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            (!is_visible || i >= OPERATION_MOST_OPERANDS) && !is_stack_work(operation)) {
            operation->writes_memory = true;
            find_string(operation, raw, from);
        }
        if (is_visible && operation->operand_count < OPERATION_MOST_OPERANDS && i < OPERATION_MOST_OPERANDS)
            read_operand(is_64, raw, from, end_rva, &operation->operands[operation->operand_count++]);
    }
    change_bit_work(operation, raw);
    find_bit(operation, raw);
    operation_set_target(operation);
    /* An interrupt that the kernel never returns from. */
    if (raw->mnemonic == ZYDIS_MNEMONIC_INT && operation->operands[0].number == 0x29)
        operation->kind = DOES_STOP;
}
