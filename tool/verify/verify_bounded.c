/* verify_bounded.c - finds what bounds an index: where it comes from, or the comparison that guards a table
 * whose first index is not 0.
 * Takes: code before an instruction.  Gives: verify_bounded_index().
 * Must not: look farther back than a few instructions, or, for the comparison, across a place that a branch
 * may lead to. */
#include "verify/verify_bounded.h"
#include "verify/verify_origins.h"

enum { BACK_NBYTES = 48, STEP_MAX_COUNT = 16, ADDED_MOST = 1 << 20 };

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

/* The one operand of known size in memory. */
static const ZydisDecodedOperand *memory_of(const struct verify_full *full)
{
    for (unsigned i = 0; i < full->decoded.operand_count; i++)
        if (full->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && full->operands[i].size % 8 == 0 &&
            full->operands[i].mem.type == ZYDIS_MEMOP_TYPE_MEM && full->operands[i].size != 0)
            return &full->operands[i];
    return NULL;
}

static bool bound_register(struct verify_code *code, const struct verify_code_section *section, size_t at,
                           ZydisRegister reg, uint64_t scale, uint64_t *most)
{
    uint64_t high;
    int number = verify_register_number(reg);
    if (number < 0)
        return true;
    if (!verify_register_bound(code, section, at, number, &high) || high > ADDED_MOST)
        return false;
    *most += high * scale;
    return true;
}

bool verify_added_bound(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        uint32_t *most, uint32_t *nbytes)
{
    struct verify_full full;
    uint64_t sum = 0;
    if (code->decoder.is_64 || !verify_decode_full(code, section, at, &full))
        return false;
    bool is_lea = full.decoded.mnemonic == ZYDIS_MNEMONIC_LEA;
    const ZydisDecodedOperand *to = &full.operands[0];
    const ZydisDecodedOperand *memory = is_lea ? &full.operands[1] : memory_of(&full);
    *nbytes = is_lea || !memory ? 0 : memory->size / 8;
    if (memory && (!bound_register(code, section, at, memory->mem.base, 1, &sum) ||
                   !bound_register(code, section, at, memory->mem.index, memory->mem.scale, &sum)))
        return false;
    if (!memory && (full.decoded.mnemonic != ZYDIS_MNEMONIC_ADD || to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
                    to->size != 32 || !bound_register(code, section, at, to->reg.value, 1, &sum)))
        return false;
    *most = (uint32_t)sum;
    return true;
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
    const ZydisDecodedOperand *memory = memory_of(&full);
    if (!memory || memory->mem.base != ZYDIS_REGISTER_NONE || memory->mem.index == ZYDIS_REGISTER_NONE)
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
