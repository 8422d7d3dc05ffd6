/* verify_base_cases.c - finds the labels that only switch statements lead to.
 * Takes: a walk with its steps.  Gives: marks at the jumps and at their labels.
 * Must not: mark anything in a function with another jump through a register. */
#include "verify/verify_base_walk.h"
#include "verify/verify_switch.h"

enum { CASE_MAX_COUNT = 4096, ENTRY_NBYTES = 4, AWAY_MAX_COUNT = 64 };

/* Entries that the jump can take: as many as its comparison allows, or as its bytes choose from. */
static bool entry_count(const struct verify_base_walk *walk, const struct verify_switch *table,
                        uint32_t *count)
{
    uint64_t byte;
    *count = table->case_count;
    if (table->case_count == 0 || table->case_count > CASE_MAX_COUNT)
        return false;
    for (uint32_t i = 0; table->bytes_rva != 0 && i < table->case_count; i++) {
        walk->code->step_count++;
        if (!verify_read_at(walk->code->image, (uint64_t)table->bytes_rva + i, 1, &byte))
            return false;
        *count = i == 0 || byte + 1 > *count ? (uint32_t)byte + 1 : *count;
    }
    return true;
}

/* Registers into which the function puts the base. */
static uint16_t base_registers(const struct verify_base_walk *walk)
{
    uint16_t set = 0, before;
    do {
        before = set;
        for (size_t i = 0; i < walk->count; i++) {
            const struct verify_full *full = &walk->steps[i].full;
            int to = full->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                         ? verify_register_number(full->operands[0].reg.value)
                         : -1;
            bool is_copy = full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
                           full->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                           verify_holds(set, full->operands[1].reg.value);
            walk->code->step_count++;
            if (to >= 0 && (is_copy || verify_base_is_site(walk, &walk->steps[i])))
                set = (uint16_t)(set | 1u << to);
        }
    } while (set != before);
    return set;
}

static bool reads_any(const struct verify_full *full, uint16_t set)
{
    for (unsigned i = 0; i < full->decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &full->operands[i];
        bool is_memory = operand->type == ZYDIS_OPERAND_TYPE_MEMORY;
        bool is_read = operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                       (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
        if ((is_memory && (verify_holds(set, operand->mem.base) || verify_holds(set, operand->mem.index))) ||
            (is_read && verify_holds(set, operand->reg.value)))
            return true;
    }
    return false;
}

/* An instruction of this function begins at rva: its tables may lie behind its code, so it need not be clean.
 */
static bool begins_instruction(const struct verify_base_walk *walk, const struct verify_function *function,
                               const struct verify_code_section *section, uint32_t rva)
{
    struct verify_full full;
    uint32_t at = function->rva;
    for (unsigned i = 0; i < AWAY_MAX_COUNT && at < rva; i++, at += full.decoded.length) {
        walk->code->step_count++;
        if (!verify_decode_full(walk->code, section, at - section->rva, &full))
            return false;
    }
    return at == rva;
}

/* The label lies in another part of the function, with unwind data of its own, and the code there forgets
 * these registers, or returns, without a look at them. */
static bool forgets(const struct verify_base_walk *walk, uint32_t rva, uint16_t set)
{
    struct verify_function *function = verify_function_at(walk->code, rva);
    const struct verify_code_section *section = verify_code_at(walk->code, rva);
    if (!function || function->is_gap || !section || !begins_instruction(walk, function, section, rva))
        return false;
    for (unsigned i = 0; i < AWAY_MAX_COUNT && set != 0; i++) {
        struct verify_full full;
        int64_t target;
        walk->code->step_count++;
        if (rva < section->rva || !verify_decode_full(walk->code, section, rva - section->rva, &full) ||
            reads_any(&full, set))
            return false;
        if (full.decoded.meta.category == ZYDIS_CATEGORY_RET)
            return !(set & REGISTER_AX);
        set &= (uint16_t)~verify_replaced_registers(&full);
        if (full.decoded.mnemonic == ZYDIS_MNEMONIC_JMP && verify_direct_jump(&full, &target))
            rva = (uint32_t)((int64_t)rva + target);
        else if (full.decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE || !verify_falls_through(&full))
            return false;
        else
            rva += full.decoded.length;
    }
    return set == 0;
}

/* Without `marks` only looks whether each entry is an instruction of the function, or leaves it for good. */
static bool take_table(struct verify_base_walk *walk, const struct verify_switch *table, uint16_t bases,
                       bool marks)
{
    uint32_t count;
    if (!entry_count(walk, table, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t label_rva;
        walk->code->step_count++;
        if (!verify_read_at(walk->code->image, (uint64_t)table->rva + (uint64_t)i * ENTRY_NBYTES,
                            ENTRY_NBYTES, &label_rva))
            return false;
        struct verify_base_step *step = verify_base_step_at(walk, (uint32_t)label_rva);
        if (step)
            step->is_case = step->is_case || marks;
        else if (!forgets(walk, (uint32_t)label_rva, bases))
            return false;
    }
    return true;
}

void verify_base_mark_cases(struct verify_base_walk *walk)
{
    struct verify_switches switches = {0};
    for (size_t i = 0; i < walk->count; i++) {
        struct verify_base_step *step = &walk->steps[i];
        size_t before = switches.count;
        walk->code->step_count++;
        verify_switch_step(&switches, &step->full, step->rva);
        step->is_switch = switches.count != before;
        bool is_through_register = step->full.decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
                                   step->full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER;
        if (is_through_register && !step->is_switch)
            return;
    }
    bool are_whole = !switches.is_full;
    uint16_t bases = switches.count != 0 ? base_registers(walk) : 0;
    for (size_t i = 0; i < switches.count && are_whole; i++)
        are_whole = take_table(walk, &switches.items[i], bases, false);
    for (size_t i = 0; i < switches.count && are_whole; i++)
        take_table(walk, &switches.items[i], bases, true);
}
