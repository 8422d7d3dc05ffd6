/* verify_follow.c - follows an address through the registers of one function.
 * Takes: struct verify_code.  Gives: struct verify_followed.  Must not: take more than a fixed number of
 * steps, or leave the function. */
#include "verify/verify_follow.h"

enum { STEP_MAX_COUNT = 192, PENDING_MAX_COUNT = 32 };

/* Where to go on, and the registers that hold the address there. */
struct place {
    size_t at;
    uint16_t holders;
};

struct follow {
    struct verify_code *code;
    const struct verify_code_section *section;
    size_t begin, end; /* of the function, in the section */
    struct verify_followed found;
    struct place seen[STEP_MAX_COUNT];
    size_t seen_count;
    struct place pending[PENDING_MAX_COUNT];
    size_t pending_count;
};

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_copy(const struct verify_full *full)
{
    unsigned whole_nbits = full->decoded.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? 64 : 32;
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV && is_register(&full->operands[0]) &&
           is_register(&full->operands[1]) && full->operands[0].size == whole_nbits &&
           verify_register_number(full->operands[0].reg.value) >= 0;
}

/* An access through a holder: false when it is none that is understood. */
static bool take_access(struct follow *follow, const struct verify_full *full,
                        const ZydisDecodedOperand *operand, uint16_t holders)
{
    bool is_base = verify_holds(holders, operand->mem.base);
    bool is_index = verify_holds(holders, operand->mem.index);
    if (!is_base && !is_index)
        return true;
    if (operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN || is_index || operand->mem.index != ZYDIS_REGISTER_NONE) {
        follow->found.is_indexed = operand->mem.type == ZYDIS_MEMOP_TYPE_MEM;
        follow->found.is_added = !follow->found.is_indexed;
        return false;
    }
    if (operand->mem.type != ZYDIS_MEMOP_TYPE_MEM || operand->size == 0 || operand->size % 8 != 0 ||
        (full->decoded.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)))
        return false;
    if (operand->mem.segment == ZYDIS_REGISTER_FS || operand->mem.segment == ZYDIS_REGISTER_GS)
        return false;
    int64_t low = operand->mem.disp.has_displacement ? operand->mem.disp.value : 0;
    int64_t high = low + operand->size / 8;
    follow->found.low = follow->found.count == 0 || low < follow->found.low ? low : follow->found.low;
    follow->found.high = follow->found.count == 0 || high > follow->found.high ? high : follow->found.high;
    follow->found.count++;
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        follow->found.writes = true;
    return true;
}

/* Every operand of one instruction; *holders become those behind it. */
static bool take_operands(struct follow *follow, const struct verify_full *full, uint16_t *holders)
{
    bool copies = is_copy(full);
    bool is_null_test = full->decoded.mnemonic == ZYDIS_MNEMONIC_TEST && is_register(&full->operands[0]) &&
                        is_register(&full->operands[1]) &&
                        full->operands[0].reg.value == full->operands[1].reg.value;
    for (unsigned i = 0; i < full->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && !take_access(follow, full, operand, *holders))
            return false;
        if (!is_register(operand) || !verify_holds(*holders, operand->reg.value))
            continue;
        bool writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
        bool reads = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
        if (writes && operand->size < 32)
            return false;
        if (reads && !copies && !is_null_test) {
            follow->found.is_added = full->decoded.meta.category == ZYDIS_CATEGORY_BINARY ||
                                     full->decoded.mnemonic == ZYDIS_MNEMONIC_CMP;
            return false;
        }
    }
    bool is_copied = copies && verify_holds(*holders, full->operands[1].reg.value);
    uint16_t left = (uint16_t)(*holders & ~verify_written_registers(full));
    if (is_copied)
        left = (uint16_t)(left | 1u << verify_register_number(full->operands[0].reg.value));
    *holders = left;
    return true;
}

/* A call, a return or a jump out of the function with the address where others may look for it. */
static bool passes_on(const struct verify_full *full, uint16_t holders, bool leaves)
{
    bool is_64 = full->decoded.machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
    unsigned arguments = is_64 ? REGISTERS_ARGUMENT_64 : REGISTERS_ARGUMENT_32;
    unsigned all = is_64 ? REGISTERS_VOLATILE_64 : REGISTERS_VOLATILE_32;
    /* A call through a slot that is not the address itself may be a dispatcher's, which looks at others. */
    const ZydisDecodedOperand *target = &full->operands[0];
    bool is_plain = full->decoded.raw.imm[0].is_relative ||
                    (target->type == ZYDIS_OPERAND_TYPE_MEMORY && verify_holds(holders, target->mem.base));
    if (full->decoded.meta.category == ZYDIS_CATEGORY_CALL)
        return holders & (is_plain ? arguments : all);
    if (full->decoded.meta.category == ZYDIS_CATEGORY_RET)
        return holders & (is_64 ? (unsigned)REGISTER_AX : (unsigned)REGISTER_AX | 1u << 2);
    return leaves && (holders & all);
}

static bool add_place(struct follow *follow, size_t at, uint16_t holders)
{
    if (holders == 0)
        return true;
    for (size_t i = 0; i < follow->seen_count; i++)
        if (follow->seen[i].at == at && (follow->seen[i].holders & holders) == holders)
            return true;
    if (follow->seen_count == STEP_MAX_COUNT || follow->pending_count == PENDING_MAX_COUNT)
        return false;
    follow->seen[follow->seen_count++] = (struct place){at, holders};
    follow->pending[follow->pending_count++] = (struct place){at, holders};
    return true;
}

/* One instruction; false when the address gets out of sight. */
static bool step(struct follow *follow, struct place place)
{
    struct verify_full full;
    int64_t target = 0;
    follow->code->step_count++;
    if (place.at < follow->begin || place.at >= follow->end ||
        !verify_bit(follow->section->starts, place.at) ||
        !verify_decode_full(follow->code, follow->section, place.at, &full))
        return false;
    uint16_t holders = place.holders;
    bool is_jump = verify_direct_jump(&full, &target);
    int64_t target_at = (int64_t)place.at + target;
    bool leaves = is_jump && (target_at < (int64_t)follow->begin || target_at >= (int64_t)follow->end);
    if (passes_on(&full, holders, leaves) || !take_operands(follow, &full, &holders))
        return false;
    bool is_indirect = full.decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR && !is_jump;
    if (is_indirect && holders != 0)
        return false;
    if (is_jump && !leaves && !add_place(follow, (size_t)target_at, holders))
        return false;
    return !verify_falls_through(&full) || add_place(follow, place.at + full.decoded.length, holders);
}

struct verify_followed verify_follow(struct verify_code *code, const struct verify_code_section *section,
                                     size_t at)
{
    struct follow follow = {.code = code, .section = section};
    struct verify_function *function = verify_function_at(code, section->rva + (uint32_t)at);
    struct verify_full full;
    if (!function || !verify_function_is_clean(code, function) ||
        !verify_decode_full(code, section, at, &full) || !is_register(&full.operands[0]) ||
        (full.decoded.mnemonic != ZYDIS_MNEMONIC_LEA && full.decoded.mnemonic != ZYDIS_MNEMONIC_MOV))
        return follow.found;
    int number = verify_register_number(full.operands[0].reg.value);
    if (number < 0)
        return follow.found;
    follow.begin = function->rva - section->rva;
    follow.end = function->end_rva - section->rva;
    bool is_followed = add_place(&follow, at + full.decoded.length, (uint16_t)(1u << number));
    while (is_followed && follow.pending_count != 0)
        is_followed = step(&follow, follow.pending[--follow.pending_count]);
    follow.found.is_followed = is_followed;
    return follow.found;
}
