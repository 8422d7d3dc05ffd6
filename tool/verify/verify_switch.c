/* verify_switch.c - recognises jumps through tables of RVAs, and the tables behind the code.
 * Takes: decoded instructions.  Gives: see the header.  Must not: decide by one place alone: the code names
 * the table, the comparison says how long it is, and each entry must lead to an instruction. */
#include "verify/verify_switch.h"

enum { ENTRY_NBYTES = 4 };

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static const struct verify_switch_value *value_of(const struct verify_switches *switches, ZydisRegister reg)
{
    static const struct verify_switch_value other = {.kind = SWITCH_OTHER};
    int number = verify_register_number(reg);
    return number < 0 ? &other : &switches->values[number];
}

/* lea r64, [the image's RVA 0] */
static bool takes_base(const struct verify_full *full, uint32_t rva)
{
    const ZydisDecodedOperand *from = &full->operands[1];
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_LEA && full->operands[0].size == 64 &&
           from->mem.base == ZYDIS_REGISTER_RIP && full->decoded.raw.disp.size == 32 &&
           (int64_t)rva + full->decoded.length + from->mem.disp.value == 0;
}

/* [base + index * scale + disp32]: the index register, or ZYDIS_REGISTER_NONE. */
static ZydisRegister table_index(const struct verify_switches *switches, const ZydisDecodedOperand *operand,
                                 unsigned scale)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.disp.value <= 0 ||
        operand->mem.scale != scale || operand->mem.base == ZYDIS_REGISTER_NONE)
        return ZYDIS_REGISTER_NONE;
    if (value_of(switches, operand->mem.base)->kind == SWITCH_BASE)
        return operand->mem.index;
    bool is_swapped = scale == 1 && value_of(switches, operand->mem.index)->kind == SWITCH_BASE;
    return is_swapped ? operand->mem.base : ZYDIS_REGISTER_NONE;
}

/* What the first operand holds behind the instruction. */
static struct verify_switch_value value_after(const struct verify_switches *switches,
                                              const struct verify_full *full, uint32_t rva)
{
    struct verify_switch_value value = {.kind = SWITCH_OTHER};
    const ZydisDecodedOperand *to = &full->operands[0], *from = &full->operands[1];
    ZydisMnemonic mnemonic = full->decoded.mnemonic;
    if (takes_base(full, rva)) {
        value.kind = SWITCH_BASE;
    } else if (mnemonic == ZYDIS_MNEMONIC_MOVZX && to->size >= 32 && from->size == 8 &&
               table_index(switches, from, 1) != ZYDIS_REGISTER_NONE) {
        value.kind = SWITCH_BYTE;
        value.found.bytes_rva = (uint32_t)from->mem.disp.value;
        value.found.case_count = switches->case_count;
    } else if (mnemonic == ZYDIS_MNEMONIC_MOV && to->size == 32 &&
               table_index(switches, from, ENTRY_NBYTES) != ZYDIS_REGISTER_NONE) {
        const struct verify_switch_value *index = value_of(switches, from->mem.index);
        value.kind = SWITCH_ENTRY;
        if (index->kind == SWITCH_BYTE)
            value.found = index->found;
        else
            value.found.case_count = switches->case_count;
        value.found.rva = (uint32_t)from->mem.disp.value;
    } else if (mnemonic == ZYDIS_MNEMONIC_MOV && is_register(from) && to->size == 64) {
        value = *value_of(switches, from->reg.value);
    } else if (mnemonic == ZYDIS_MNEMONIC_ADD && is_register(from) && to->size == 64) {
        const struct verify_switch_value *a = value_of(switches, to->reg.value);
        const struct verify_switch_value *b = value_of(switches, from->reg.value);
        bool is_sum = (a->kind == SWITCH_ENTRY && b->kind == SWITCH_BASE) ||
                      (a->kind == SWITCH_BASE && b->kind == SWITCH_ENTRY);
        value = a->kind == SWITCH_ENTRY ? *a : *b;
        value.kind = is_sum ? SWITCH_TARGET : SWITCH_OTHER;
    }
    return value;
}

/* cmp x, constant; ja or jae: how many cases there are. */
static void note_comparison(struct verify_switches *switches, const struct verify_full *full)
{
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_CMP) {
        switches->is_compared = full->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
        switches->compared = (uint32_t)full->operands[1].imm.value.u;
        return;
    }
    if (switches->is_compared && full->decoded.mnemonic == ZYDIS_MNEMONIC_JNBE)
        switches->case_count = switches->compared + 1;
    else if (switches->is_compared && full->decoded.mnemonic == ZYDIS_MNEMONIC_JNB)
        switches->case_count = switches->compared;
    if (full->decoded.cpu_flags && full->decoded.cpu_flags->modified)
        switches->is_compared = false;
}

void verify_switch_step(struct verify_switches *switches, const struct verify_full *full, uint32_t rva)
{
    const ZydisDecodedOperand *to = &full->operands[0];
    note_comparison(switches, full);
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_JMP && is_register(to)) {
        const struct verify_switch_value *target = value_of(switches, to->reg.value);
        if (target->kind != SWITCH_TARGET)
            return;
        if (switches->count == SWITCH_MAX_COUNT)
            switches->is_full = true;
        else
            switches->items[switches->count++] = target->found;
        switches->case_count = 0;
        return;
    }
    struct verify_switch_value value = {.kind = SWITCH_OTHER};
    bool writes_first =
        full->decoded.operand_count != 0 && is_register(to) && verify_register_number(to->reg.value) >= 0;
    if (writes_first && full->decoded.operand_count >= 2)
        value = value_after(switches, full, rva);
    uint16_t written = verify_written_registers(full);
    for (unsigned i = 0; i < SWITCH_REGISTER_COUNT; i++)
        if (written >> i & 1)
            switches->values[i].kind = SWITCH_OTHER;
    if (writes_first && (written >> verify_register_number(to->reg.value) & 1))
        switches->values[verify_register_number(to->reg.value)] = value;
}

static uint32_t lower_in(uint32_t candidate_rva, uint32_t rva, uint32_t end_rva)
{
    return candidate_rva >= rva && candidate_rva < end_rva ? candidate_rva : end_rva;
}

uint32_t verify_switch_lowest(const struct verify_switches *switches, uint32_t rva, uint32_t end_rva)
{
    for (size_t i = 0; i < switches->count; i++) {
        end_rva = lower_in(switches->items[i].rva, rva, end_rva);
        if (switches->items[i].bytes_rva != 0)
            end_rva = lower_in(switches->items[i].bytes_rva, rva, end_rva);
    }
    return end_rva;
}

/* Entries of the table at rva that lead to an instruction, up to next_rva. */
static uint32_t entry_count(const struct verify_code_section *section, uint32_t rva, uint32_t next_rva,
                            uint32_t begin_rva, uint32_t tail_rva, uint64_t *step_count)
{
    uint32_t count = 0;
    for (; next_rva - rva >= ENTRY_NBYTES; rva += ENTRY_NBYTES, count++) {
        uint32_t label_rva = load_u32(section->bytes.bytes + (rva - section->rva));
        ++*step_count;
        if (label_rva < begin_rva || label_rva >= tail_rva ||
            !verify_bit(section->starts, label_rva - section->rva))
            break;
    }
    return count;
}

/* Fill up to an aligned table. */
static bool is_fill(const struct verify_code_section *section, uint32_t rva, uint32_t end_rva)
{
    if (end_rva - rva >= ENTRY_NBYTES)
        return false;
    for (; rva < end_rva; rva++) {
        uint8_t byte = section->bytes.bytes[rva - section->rva];
        if (byte != 0 && byte != 0x90 && byte != 0xCC)
            return false;
    }
    return true;
}

static bool is_whole(const struct verify_code_section *section, const struct verify_switches *switches,
                     const struct verify_switch *found, uint32_t begin_rva, uint32_t tail_rva,
                     uint32_t end_rva, uint64_t *step_count)
{
    if (found->rva < tail_rva || found->rva >= end_rva)
        return found->bytes_rva < tail_rva || found->bytes_rva >= end_rva; /* bytes of a table elsewhere */
    uint32_t next_rva = verify_switch_lowest(switches, found->rva + 1, end_rva);
    uint32_t count = entry_count(section, found->rva, next_rva, begin_rva, tail_rva, step_count);
    if (count == 0 || next_rva - found->rva != count * ENTRY_NBYTES)
        return false;
    if (found->bytes_rva == 0)
        return count == found->case_count;
    if (found->bytes_rva < tail_rva || found->bytes_rva >= end_rva || found->case_count == 0)
        return false;
    next_rva = verify_switch_lowest(switches, found->bytes_rva + 1, end_rva);
    if (found->case_count > next_rva - found->bytes_rva)
        return false;
    for (uint32_t i = 0; i < found->case_count; i++) {
        ++*step_count;
        if (section->bytes.bytes[found->bytes_rva - section->rva + i] >= count)
            return false;
    }
    return is_fill(section, found->bytes_rva + found->case_count, next_rva);
}

bool verify_switch_tail(const struct verify_code_section *section, const struct verify_switches *switches,
                        uint32_t begin_rva, uint32_t tail_rva, uint32_t end_rva, uint64_t *step_count)
{
    if (switches->is_full)
        return false;
    for (size_t i = 0; i < switches->count; i++)
        if (!is_whole(section, switches, &switches->items[i], begin_rva, tail_rva, end_rva, step_count))
            return false;
    return true;
}
