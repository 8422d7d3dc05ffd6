/* verify_bounded.c - reads the comparison that guards a table whose first index is not 0.
 * Takes: code before an instruction.  Gives: verify_bounded_index().
 * Must not: look farther back than a few instructions, or across a place that a branch may lead to. */
#include "verify/verify_bounded.h"

enum { BACK_NBYTES = 48, STEP_MAX_COUNT = 16 };

/* Offsets of the instructions before `at` that run one after the other to it, the nearest last. */
static size_t steps_before(struct verify_code *code, const struct verify_code_section *section, size_t begin,
                           size_t at, size_t steps[STEP_MAX_COUNT])
{
    size_t first = at > begin + BACK_NBYTES ? at - BACK_NBYTES : begin, count = 0;
    struct verify_full full;
    for (size_t i = first; i < at; i++) {
        if (!verify_bit(section->starts, i))
            continue;
        code->step_count++;
        if (!verify_decode_full(code, section, i, &full))
            return 0;
        /* What a branch may lead to begins anew. */
        if (verify_bit(section->named, i) || verify_bit(section->near, i) || count == STEP_MAX_COUNT)
            count = 0;
        steps[count++] = i;
        if (!verify_falls_through(&full) || full.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            count = 0;
    }
    return verify_bit(section->named, at) || verify_bit(section->near, at) ? 0 : count;
}

bool verify_bounded_index(struct verify_code *code, const struct verify_code_section *section, size_t at,
                          int64_t *low, int64_t *high)
{
    struct verify_function *function = verify_function_at(code, section->rva + (uint32_t)at);
    size_t steps[STEP_MAX_COUNT], count;
    struct verify_full full, step;
    if (!function || !verify_function_is_clean(code, function) ||
        !verify_decode_full(code, section, at, &full))
        return false;
    const ZydisDecodedOperand *memory = NULL;
    for (unsigned i = 0; i < full.decoded.operand_count; i++)
        if (full.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && full.operands[i].size % 8 == 0)
            memory = memory ? memory : &full.operands[i];
    if (!memory || memory->mem.type != ZYDIS_MEMOP_TYPE_MEM || memory->size == 0 ||
        memory->mem.base != ZYDIS_REGISTER_NONE || memory->mem.index == ZYDIS_REGISTER_NONE)
        return false;
    count = steps_before(code, section, function->rva - section->rva, at, steps);
    int index = verify_register_number(memory->mem.index), compared = -1;
    bool is_lowered = false, is_bounded = false;
    int64_t first = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (!verify_decode_full(code, section, steps[i], &step))
            return false;
        const ZydisDecodedOperand *to = &step.operands[0], *from = &step.operands[1];
        bool is_guard = i + 1 < count && is_lowered && step.decoded.mnemonic == ZYDIS_MNEMONIC_CMP &&
                        to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->size == 32 &&
                        verify_register_number(to->reg.value) == compared &&
                        from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
        if (is_guard) {
            struct verify_full jump;
            last = (uint32_t)from->imm.value.u;
            is_bounded = verify_decode_full(code, section, steps[i + 1], &jump) &&
                         jump.decoded.mnemonic == ZYDIS_MNEMONIC_JNBE;
        }
        uint16_t written = verify_written_registers(&step);
        if (written >> index & 1)
            is_lowered = is_bounded = false;
        if (!is_bounded && compared >= 0 && (written >> compared & 1))
            is_lowered = false;
        if (step.decoded.mnemonic == ZYDIS_MNEMONIC_LEA && from->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            verify_register_number(from->mem.base) == index && from->mem.index == ZYDIS_REGISTER_NONE &&
            to->size == 32 && verify_register_number(to->reg.value) != index) {
            compared = verify_register_number(to->reg.value);
            first = -from->mem.disp.value;
            is_lowered = true;
            is_bounded = false;
        }
    }
    if (!is_bounded || first < 0 || last > 0x10000)
        return false;
    *low = first * memory->mem.scale;
    *high = (first + (int64_t)last) * memory->mem.scale + memory->size / 8;
    return true;
}
