/* verify_holders.c - one instruction's effect on what holds an address.
 * Takes: see the header.  Gives: see the header.  Must not: decode, or remember more than the holders. */
#include "verify/verify_holders_internal.h"
#include "verify/verify_origins.h"

enum { RESULT_REGISTERS_32 = 1 << 0 };

/* A string instruction moves its registers up; repeated, by what is not known. */
static bool take_string(struct effect *effect)
{
    const struct verify_full_head *decoded = &effect->full->decoded;
    bool repeats =
        decoded->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
    for (unsigned i = 0; i < decoded->operand_count; i++) {
        const ZydisDecodedOperand *operand = &effect->full->operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            int base = verify_register_number(operand->mem.base);
            if (!holders_is_set(effect->holders, base))
                continue;
            if (repeats) {
                effect->found->is_stepped = true;
                holders_drop(effect->holders, base);
            } else if (!holders_set(effect->holders, base,
                                    (int64_t)effect->holders->offsets[base] + operand->size / 8)) {
                return false;
            }
        } else if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            int number = verify_register_number(operand->reg.value);
            bool is_pointer = number == 6 || number == 7; /* si, di */
            if (!is_pointer && holders_is_set(effect->holders, number) &&
                (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
                return false;
        }
    }
    return true;
}

static void shift_slots(struct effect *effect, int64_t by)
{
    for (int i = 0; i < HOLDER_SLOT_COUNT; i++)
        if (effect->holders->slots[i].base == STACK_REGISTER)
            effect->holders->slots[i].disp = (int32_t)(effect->holders->slots[i].disp + by);
}

static void drop_slots(struct verify_holders *holders, int base)
{
    for (int i = 0; i < HOLDER_SLOT_COUNT; i++)
        if (holders->slots[i].base == base)
            holders_drop(holders, HOLDER_REGISTER_COUNT + i);
}

/* The stack pointer changes: slots lie elsewhere from it, or are gone. */
static void move_stack(struct effect *effect)
{
    const struct verify_full *full = effect->full;
    const ZydisDecodedOperand *to = &full->operands[0], *by = &full->operands[1];
    uint16_t written = verify_written_registers(full);
    if (full->decoded.meta.category == ZYDIS_CATEGORY_CALL)
        return;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_PUSH)
        shift_slots(effect, effect->word_nbytes);
    else if (full->decoded.mnemonic == ZYDIS_MNEMONIC_POP)
        shift_slots(effect, -(int64_t)effect->word_nbytes);
    else if (written >> STACK_REGISTER & 1) {
        bool is_sub = full->decoded.mnemonic == ZYDIS_MNEMONIC_SUB;
        if ((is_sub || full->decoded.mnemonic == ZYDIS_MNEMONIC_ADD) &&
            to->type == ZYDIS_OPERAND_TYPE_REGISTER && by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
            shift_slots(effect, is_sub ? by->imm.value.s : -by->imm.value.s);
        else
            drop_slots(effect->holders, STACK_REGISTER);
    }
    if (written >> FRAME_REGISTER & 1)
        drop_slots(effect->holders, FRAME_REGISTER);
}

/* Registers and slots that are written lose the address, but for `kept`. False when a part of one is. */
static bool drop_written(struct effect *effect, int kept)
{
    const struct verify_full *full = effect->full;
    for (unsigned i = 0; i < full->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        if (!(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        int number = operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(operand->reg.value)
                                                                  : holders_slot_of(effect, operand);
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && holders_cuts_slot(effect, operand))
            return false;
        if (number < 0 || number == kept || !holders_is_set(effect->holders, number))
            continue;
        /* The rest of the register stays, or perhaps all of it. */
        if (operand->size < 32 || !(operand->actions & ZYDIS_OPERAND_ACTION_WRITE))
            return false;
        holders_drop(effect->holders, number);
    }
    return true;
}

/* What comes of it is no address, or is one again after the same operation: then it is handed on. */
static bool is_scrambled(ZydisMnemonic mnemonic, bool *is_reversible)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_IMUL:
        *is_reversible = false;
        return true;
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_NOT:
        *is_reversible = true;
        return true;
    default:
        return false;
    }
}

/* The constant of the instruction is an address too. */
static bool is_relocated(const struct effect *effect)
{
    bool is_one = false;
    for (size_t i = 0; i < effect->full->decoded.length; i++)
        is_one = is_one || verify_bit(effect->section->relocated, effect->at + i);
    return is_one;
}

/* The address is compared: with a pointer that comes from memory, it is one to begin with. */
static bool take_comparison(struct effect *effect, int first, int second)
{
    bool is_one = (first >= 0) != (second >= 0);
    const ZydisDecodedOperand *other = &effect->full->operands[first >= 0 ? 1 : 0];
    if (is_one &&
        verify_is_compared_pointer(effect->code, effect->section, effect->at, effect->full, other)) {
        holders_hand_on(effect, first >= 0 ? first : second);
        return true;
    }
    effect->found->is_distance = true;
    return false;
}

/* The instruction reads a holder as a value. *kept is the register or slot that holds the address behind it.
 */
static bool take_value(struct effect *effect, int first, int second, int *kept)
{
    const struct verify_full *full = effect->full;
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    bool has_constant =
        full->decoded.operand_count_visible == 2 && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
    bool is_reversible;
    int64_t step = 0;
    switch (full->decoded.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        if (second < 0)
            return true; /* the first operand is only written */
        if (!holders_copy_to(effect, second, to, 0))
            return false;
        *kept = to->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(to->reg.value)
                                                        : holders_slot_of(effect, to);
        return true;
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_CALL:
    case ZYDIS_MNEMONIC_JMP:
        if (first < 0)
            return false;
        holders_hand_on(effect, first);
        return true;
    case ZYDIS_MNEMONIC_XCHG: {
        int held = to->type == ZYDIS_OPERAND_TYPE_MEMORY ? second : first;
        const ZydisDecodedOperand *other = held == second ? to : from;
        if (held < 0 || other->type != ZYDIS_OPERAND_TYPE_MEMORY || verify_is_frame_slot(other))
            return false;
        holders_hand_on(effect, held);
        return true;
    }
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
        if (first < 0 || !has_constant || is_relocated(effect)) {
            if (first >= 0 && full->decoded.mnemonic == ZYDIS_MNEMONIC_SUB)
                effect->found->is_distance = true;
            else
                effect->found->is_added = true;
            return false;
        }
        step = full->decoded.mnemonic == ZYDIS_MNEMONIC_ADD ? from->imm.value.s : -from->imm.value.s;
        break;
    case ZYDIS_MNEMONIC_INC:
        step = 1;
        break;
    case ZYDIS_MNEMONIC_DEC:
        step = -1;
        break;
    case ZYDIS_MNEMONIC_CMP:
        return take_comparison(effect, first, second);
    case ZYDIS_MNEMONIC_TEST: /* for null */
        return first >= 0 && first == second;
    default:
        if (is_scrambled(full->decoded.mnemonic, &is_reversible)) {
            bool is_cleared = full->decoded.mnemonic == ZYDIS_MNEMONIC_XOR && first == second;
            for (int i = 0; i < 2 && is_reversible && !is_cleared; i++)
                if ((i == 0 ? first : second) >= 0)
                    holders_hand_on(effect, i == 0 ? first : second);
            return true;
        }
        if (full->decoded.meta.category == ZYDIS_CATEGORY_BINARY)
            effect->found->is_added = true;
        return false;
    }
    if (first < 0)
        return false;
    *kept = first;
    return holders_set(effect->holders, first, effect->holders->offsets[first] + step);
}

/* lea r, [holder + constant] */
static bool take_lea(struct effect *effect, int *kept)
{
    const ZydisDecodedOperand *to = &effect->full->operands[0], *from = &effect->full->operands[1];
    int base = verify_register_number(from->mem.base);
    if (!holders_is_set(effect->holders, base))
        return true;
    *kept = verify_register_number(to->reg.value);
    return holders_copy_to(effect, base, to, from->mem.disp.has_displacement ? from->mem.disp.value : 0);
}

bool verify_holders_step(struct verify_code *code, const struct verify_code_section *section, size_t at,
                         const struct verify_full *full, struct verify_holders *holders, bool is_certain,
                         struct verify_followed *found)
{
    struct effect effect = {code, section, at, full, holders, is_certain, found, code->decoder.is_64 ? 8 : 4};
    int kept = -1;
    /* Most instructions name nothing that holds the address, and without a slot nothing hangs on the stack.
     */
    if (holders->set >> HOLDER_REGISTER_COUNT == 0 && !(holders->set & full->decoded.named_registers))
        return true;
    if (full->decoded.meta.category == ZYDIS_CATEGORY_NOP ||
        full->decoded.meta.category == ZYDIS_CATEGORY_WIDENOP)
        return true;
    for (unsigned i = 0; i < full->decoded.operand_count; i++)
        if (full->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            !holders_take_access(&effect, &full->operands[i]))
            return false;
    if (full->decoded.meta.category == ZYDIS_CATEGORY_STRINGOP)
        return take_string(&effect);
    for (int i = 0; i < HOLDER_SLOT_COUNT && full->decoded.mnemonic == ZYDIS_MNEMONIC_POP; i++)
        if (holders_is_set(holders, HOLDER_REGISTER_COUNT + i) && holders->slots[i].base == STACK_REGISTER &&
            holders->slots[i].disp == 0)
            return false;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA) {
        if (!take_lea(&effect, &kept))
            return false;
    } else {
        bool reads = false, is_hidden = false;
        for (unsigned i = 0; i < full->decoded.operand_count; i++) {
            const ZydisDecodedOperand *operand = &full->operands[i];
            if (!(operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ) || !holders_touches(&effect, operand))
                continue;
            reads = true;
            is_hidden = is_hidden || i >= 2 || holders_value(&effect, operand) < 0;
        }
        bool is_flow = full->decoded.meta.category == ZYDIS_CATEGORY_RET;
        bool has_two = full->decoded.operand_count >= 2;
        if (reads && !is_flow &&
            (is_hidden || !take_value(&effect, holders_value(&effect, &full->operands[0]),
                                      has_two ? holders_value(&effect, &full->operands[1]) : -1, &kept)))
            return false;
    }
    if (!drop_written(&effect, kept))
        return false;
    move_stack(&effect);
    return true;
}

void verify_holders_leave(const struct verify_full *full, struct verify_holders *holders,
                          struct verify_followed *found)
{
    bool is_64 = full->decoded.machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
    unsigned arguments = is_64 ? REGISTERS_ARGUMENT_64 : REGISTERS_ARGUMENT_32;
    unsigned all = is_64 ? REGISTERS_VOLATILE_64 : REGISTERS_VOLATILE_32, seen = all;
    const ZydisDecodedOperand *target = &full->operands[0];
    bool is_call = full->decoded.meta.category == ZYDIS_CATEGORY_CALL;
    /* A call through a slot that is not the address itself may be a dispatcher's, which looks at others. */
    bool is_plain = full->decoded.raw.imm[0].is_relative ||
                    (target->type == ZYDIS_OPERAND_TYPE_MEMORY &&
                     holders_is_set(holders, verify_register_number(target->mem.base)));
    if (is_call && is_plain)
        seen = arguments;
    else if (full->decoded.meta.category == ZYDIS_CATEGORY_RET)
        seen = is_64 ? (unsigned)REGISTER_AX : (unsigned)RESULT_REGISTERS_32;
    for (int i = 0; i < HOLDER_REGISTER_COUNT; i++)
        if (holders_is_set(holders, i) && (seen >> i & 1))
            holders_add_reach(&found->handed, holders->offsets[i],
                              (int64_t)holders->offsets[i] + 1 + holders->added_most);
    if (!is_call) {
        holders->set = 0;
        return;
    }
    holders->set &= ~(uint32_t)all;
    /* What lies above the stack pointer may be arguments, which the function that is called may remove. */
    drop_slots(holders, STACK_REGISTER);
}
