/* verify_label_count.c - finds the comparison that bounds the index of a load.
 * Takes: see the header.  Gives: see the header.
 * Must not: look on when the index comes from anything but a copy of what may have been compared. */
#include "verify/verify_label_count.h"
#include "verify/verify_registers.h"

enum { BEHIND_NBYTES = 96 };

/* What is looked for on the way back. */
struct guard {
    int index;             /* number of the register that holds the index here */
    bool is_above;         /* behind here a branch leaves when the flags say "above", */
    bool is_above_or_same; /* or "above or equal" */
};

static int number_of(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER ? verify_register_number(operand->reg.value) : -1;
}

/* cmp index, constant, for the branch behind it. */
static bool is_bound(const struct guard *guard, const struct verify_full *step, uint32_t *count)
{
    const ZydisDecodedOperand *to = &step->operands[0], *from = &step->operands[1];
    if (step->decoded.mnemonic != ZYDIS_MNEMONIC_CMP || number_of(to) != guard->index ||
        from->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || (!guard->is_above && !guard->is_above_or_same) ||
        from->imm.value.u >= UINT32_MAX)
        return false;
    *count = (uint32_t)from->imm.value.u + guard->is_above;
    return true;
}

/* One instruction back. False when the index is not known any more. */
static bool step_back(struct guard *guard, const struct verify_full *step)
{
    const ZydisDecodedOperand *to = &step->operands[0], *from = &step->operands[1];
    if (step->decoded.mnemonic == ZYDIS_MNEMONIC_JNBE || step->decoded.mnemonic == ZYDIS_MNEMONIC_JNB) {
        guard->is_above = step->decoded.mnemonic == ZYDIS_MNEMONIC_JNBE;
        guard->is_above_or_same = !guard->is_above;
        return true;
    }
    if (step->decoded.cpu_flags && step->decoded.cpu_flags->modified != 0)
        guard->is_above = guard->is_above_or_same = false;
    if (!(verify_written_registers(step) >> guard->index & 1))
        return verify_falls_through(step);
    bool is_copy = step->decoded.mnemonic == ZYDIS_MNEMONIC_MOV ||
                   step->decoded.mnemonic == ZYDIS_MNEMONIC_MOVSXD ||
                   step->decoded.mnemonic == ZYDIS_MNEMONIC_MOVZX;
    guard->index = is_copy && number_of(to) == guard->index ? number_of(from) : -1;
    return guard->index >= 0;
}

uint32_t verify_label_count(struct verify_moves *moves, const struct verify_code_section *section,
                            const struct verify_function *function, size_t load_at)
{
    struct verify_full step;
    struct guard guard = {-1, false, false};
    size_t begin = function->rva - section->rva;
    size_t first = load_at > begin + BEHIND_NBYTES ? load_at - BEHIND_NBYTES : begin;
    uint32_t count;
    if (verify_decode_full(&moves->code, section, load_at, &step) &&
        step.operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY)
        guard.index = verify_register_number(step.operands[1].mem.index);
    for (size_t at = load_at; guard.index >= 0 && at > first;) {
        if (!verify_bit(section->starts, --at))
            continue;
        moves->judged->verdict->step_count++;
        if (!verify_decode_full(&moves->code, section, at, &step))
            return 0;
        if (is_bound(&guard, &step, &count))
            return count;
        if (!step_back(&guard, &step))
            return 0;
    }
    return 0;
}
