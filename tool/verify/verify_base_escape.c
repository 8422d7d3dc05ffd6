/* verify_base_escape.c - where the image base that a function holds gets out of sight.
 * Takes: a walk.  Gives: the reason at one instruction, and the registers in which the base is only left
 * over. Must not: follow anything: what each register holds is the walk's. What is not known to use the base
 * plainly lets it escape. */
#include "verify/verify_base_walk.h"

/* add x, base with x from a table, and then jmp x. */
static bool is_table_jump(const struct verify_base_walk *walk, const struct verify_base_step *step)
{
    const struct verify_base_step *next = step + 1;
    if (step->full.decoded.mnemonic != ZYDIS_MNEMONIC_ADD || next >= walk->steps + walk->count ||
        step->full.operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
        step->full.operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
        return false;
    ZydisRegister a = step->full.operands[0].reg.value, b = step->full.operands[1].reg.value;
    bool adds = (verify_holds(step->rva_values, a) && verify_holds(step->must, b)) ||
                (verify_holds(step->rva_values, b) && verify_holds(step->must, a));
    return adds && next->full.decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
           next->full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           next->full.operands[0].reg.value == a;
}

/* The site and the table jump that its base is for stand in one run, without a branch between them. */
static bool is_for_one_jump(const struct verify_base_walk *walk, const struct verify_base_step *site)
{
    enum { RUN_MAX_COUNT = 8 };
    ZydisRegister reg = site->full.operands[0].reg.value;
    const struct verify_base_step *end = walk->steps + walk->count;
    for (const struct verify_base_step *step = site + 1; step < end && step - site <= RUN_MAX_COUNT; step++) {
        if (is_table_jump(walk, step))
            return step->full.operands[1].reg.value == reg;
        int64_t target;
        if (!verify_falls_through(&step->full) || verify_direct_jump(&step->full, &target) ||
            step->full.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
            verify_holds(verify_written_registers(&step->full), reg))
            return false;
    }
    return false;
}

uint16_t verify_base_left_over(const struct verify_base_walk *walk)
{
    uint16_t taken = 0, other = 0;
    for (size_t i = 0; i < walk->count; i++) {
        const struct verify_base_step *step = &walk->steps[i];
        int to = step->full.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                     ? verify_register_number(step->full.operands[0].reg.value)
                     : -1;
        if (to < 0)
            continue;
        uint16_t bit = (uint16_t)(1u << to);
        walk->code->step_count++;
        if (verify_base_is_site(walk, step)) {
            if (is_for_one_jump(walk, step))
                taken |= bit;
            else
                other |= bit;
        } else if (verify_base_is_copy(step) && verify_holds(step->may, step->full.operands[1].reg.value)) {
            other |= bit;
        }
    }
    return (uint16_t)(taken & ~other);
}

bool verify_base_operand(const struct verify_base_step *step, const ZydisDecodedOperand *operand,
                         uint64_t *rva)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return false;
    bool is_base = verify_holds(step->may, operand->mem.base);
    bool is_index = verify_holds(step->may, operand->mem.index);
    ZydisRegister reg = is_base ? operand->mem.base : operand->mem.index;
    if (is_base == is_index || !verify_holds(step->must, reg) || (is_index && operand->mem.scale > 1) ||
        step->full.decoded.raw.disp.size != 32 || operand->mem.disp.value <= 0)
        return false;
    *rva = (uint64_t)operand->mem.disp.value;
    return true;
}

/* xor r, r and sub r, r: zero, whatever r was. */
static bool is_cleared(const struct verify_base_step *step)
{
    const ZydisDecodedOperand *to = &step->full.operands[0], *from = &step->full.operands[1];
    ZydisMnemonic mnemonic = step->full.decoded.mnemonic;
    return (mnemonic == ZYDIS_MNEMONIC_XOR || mnemonic == ZYDIS_MNEMONIC_SUB) && to->size >= 32 &&
           to->type == ZYDIS_OPERAND_TYPE_REGISTER && from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           to->reg.value == from->reg.value;
}

const char *verify_base_escape(const struct verify_base_walk *walk, const struct verify_base_step *step)
{
    bool is_call = step->full.decoded.meta.category == ZYDIS_CATEGORY_CALL;
    bool is_ret = step->full.decoded.meta.category == ZYDIS_CATEGORY_RET;
    int64_t target;
    bool leaves =
        verify_direct_jump(&step->full, &target) && !verify_base_step_at(walk, (int64_t)step->rva + target);
    if (step->may == 0)
        return NULL;
    if ((is_call || leaves) && (step->may & ~walk->left_over & REGISTERS_ARGUMENT_64))
        return "which may pass it on";
    if (is_ret && (step->may & REGISTER_AX))
        return "which may return it";
    for (unsigned i = 0; i < step->full.decoded.operand_count; i++) {
        const ZydisDecodedOperand *operand = &step->full.operands[i];
        bool is_memory = operand->type == ZYDIS_OPERAND_TYPE_MEMORY;
        bool is_used = is_memory && (verify_holds(step->may, operand->mem.base) ||
                                     verify_holds(step->may, operand->mem.index));
        uint64_t rva;
        if (is_used && !verify_base_operand(step, operand, &rva))
            return "which does not plainly add an RVA to it";
        bool reads = operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                     (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
        if (reads && verify_holds(step->may, operand->reg.value) && !verify_base_is_copy(step) &&
            !is_cleared(step) && !is_table_jump(walk, step))
            return "which does something else with it";
    }
    return NULL;
}
