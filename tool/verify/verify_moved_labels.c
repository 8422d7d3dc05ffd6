/* verify_moved_labels.c - jump tables of label differences, whose table and code moved apart.
 * Takes: the instruction that takes the table's address.  Gives: a field for each entry.
 * Must not: guess how long a table is: the comparison before the jump says it. */
#include "verify/verify_label_count.h"
#include "verify/verify_references.h"
#include "verify/verify_registers.h"

enum { AHEAD_COUNT = 12, ENTRY_NBYTES = 4, ENTRY_MAX_COUNT = 4096 };

static ZydisRegister wide(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_NONE ? reg
                                      : ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
}

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool writes(const struct verify_full *step, ZydisRegister reg)
{
    for (unsigned i = 0; i < step->decoded.operand_count; i++)
        if (is_register(&step->operands[i]) && wide(step->operands[i].reg.value) == reg &&
            (step->operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            return true;
    return false;
}

/* movsxd value, [table + index * 4] */
static bool is_load(const struct verify_full *step, ZydisRegister table)
{
    const ZydisDecodedOperand *from = &step->operands[1];
    return step->decoded.mnemonic == ZYDIS_MNEMONIC_MOVSXD && from->type == ZYDIS_OPERAND_TYPE_MEMORY &&
           wide(from->mem.base) == table && from->mem.scale == ENTRY_NBYTES &&
           step->decoded.raw.disp.size == 0;
}

/* Behind the load, the value is added to the table, or the other way round, and the sum is jumped to. */
static bool adds_and_jumps(struct verify_moves *moves, const struct verify_code_section *section, size_t at,
                           ZydisRegister table, ZydisRegister value)
{
    struct verify_full step;
    ZydisRegister sum = ZYDIS_REGISTER_NONE;
    for (unsigned i = 0; i < AHEAD_COUNT && verify_decode_full(&moves->code, section, at, &step);
         i++, at += step.decoded.length) {
        const ZydisDecodedOperand *to = &step.operands[0], *from = &step.operands[1];
        moves->judged->verdict->step_count++;
        if (step.decoded.mnemonic == ZYDIS_MNEMONIC_JMP)
            return sum != ZYDIS_REGISTER_NONE && is_register(to) && wide(to->reg.value) == sum;
        if (step.decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
            return false;
        bool is_sum = sum == ZYDIS_REGISTER_NONE && step.decoded.mnemonic == ZYDIS_MNEMONIC_ADD &&
                      is_register(to) && is_register(from) &&
                      ((wide(to->reg.value) == value && wide(from->reg.value) == table) ||
                       (wide(to->reg.value) == table && wide(from->reg.value) == value));
        if (is_sum)
            sum = wide(to->reg.value);
        else if (sum != ZYDIS_REGISTER_NONE ? writes(&step, sum)
                                            : writes(&step, value) || writes(&step, table))
            return false;
    }
    return false;
}

/* The load close behind the instruction that takes the table's address; *loads when there is one, and the
 * result whether all that comes of it is a jump to a label. */
static bool is_label_jump(struct verify_moves *moves, const struct verify_code_section *section,
                          size_t lea_at, bool *loads, size_t *load_at)
{
    struct verify_full step;
    *loads = false;
    if (!verify_decode_full(&moves->code, section, lea_at, &step) || !is_register(&step.operands[0]))
        return false;
    ZydisRegister table = wide(step.operands[0].reg.value);
    size_t at = lea_at;
    for (unsigned i = 0; i < AHEAD_COUNT; i++) {
        at += step.decoded.length;
        moves->judged->verdict->step_count++;
        if (!verify_decode_full(&moves->code, section, at, &step))
            return false;
        if (is_load(&step, table)) {
            *loads = true;
            *load_at = at;
            return adds_and_jumps(moves, section, at + step.decoded.length, table,
                                  wide(step.operands[0].reg.value));
        }
        if (!verify_falls_through(&step) || step.decoded.meta.category == ZYDIS_CATEGORY_CALL ||
            writes(&step, table))
            return false;
    }
    return false;
}

/* A loop has the address of the table in a register that calls keep: `lea t, [table]` is the only instruction
 * of the function that sets it, but for `pop`; *load_at is the one place that loads an entry. */
static bool is_loop_jump(struct verify_moves *moves, const struct verify_code_section *section,
                         const struct verify_function *function, size_t lea_at, size_t *load_at)
{
    struct verify_full lea, step;
    size_t begin = function->rva - section->rva, end = function->end_rva - section->rva;
    unsigned load_count = 0;
    if (!verify_decode_full(&moves->code, section, lea_at, &lea) || !is_register(&lea.operands[0]))
        return false;
    ZydisRegister table = wide(lea.operands[0].reg.value);
    for (size_t at = begin; at < end; at++) {
        if (!verify_bit(section->starts, at))
            continue;
        moves->judged->verdict->step_count++;
        if (!verify_decode_full(&moves->code, section, at, &step))
            return false;
        if (at != lea_at && writes(&step, table) && step.decoded.mnemonic != ZYDIS_MNEMONIC_POP)
            return false;
        if (!is_load(&step, table))
            continue;
        if (!adds_and_jumps(moves, section, at + step.decoded.length, table,
                            wide(step.operands[0].reg.value)))
            return false;
        *load_at = at;
        load_count++;
    }
    return load_count == 1;
}

/* An instruction begins there, or may: in a function that does not decode cleanly. */
static bool may_be_label(struct verify_moves *moves, int64_t rva)
{
    if (rva < 0 || rva > UINT32_MAX || !verify_code_at(&moves->code, (uint64_t)rva))
        return false;
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)rva);
    return function && (!verify_function_is_clean(&moves->code, function) ||
                        verify_begins_instruction(&moves->code, (uint64_t)rva));
}

/* What lies there are distances to instructions: two of them are no accident. */
static bool looks_like_labels(struct verify_moves *moves, uint32_t table_rva)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t entry;
        if (!verify_read_at(&moves->judged->old_image, (uint64_t)table_rva + (uint64_t)i * ENTRY_NBYTES,
                            ENTRY_NBYTES, &entry) ||
            !may_be_label(moves, (int64_t)table_rva + (int32_t)entry))
            return false;
    }
    return true;
}

/* Differences to what moved with the table stay what they were, however they are used. The table ends at the
 * latest with a number that leads out of the image; what follows it may look like more of it. */
static bool leads_to_its_own(struct verify_moves *moves, uint32_t table_rva)
{
    const struct verify_piece *table = verify_piece_at(&moves->map, table_rva);
    uint64_t entry;
    for (uint32_t i = 0; table && i < ENTRY_MAX_COUNT; i++) {
        uint64_t entry_rva = (uint64_t)table_rva + (uint64_t)i * 4;
        moves->judged->verdict->step_count++;
        if (entry_rva + 4 > table->end_rva ||
            !verify_read_at(&moves->judged->old_image, entry_rva, 4, &entry))
            return true;
        int64_t target_rva = (int64_t)table_rva + (int32_t)entry;
        if (target_rva < 0 || target_rva >= moves->judged->old_image.image_nbytes)
            return i > 0;
        const struct verify_piece *target = verify_piece_at(&moves->map, (uint64_t)target_rva);
        if (!target || target->delta != table->delta)
            return false;
    }
    return false;
}

/* A field for each of the entries, which all lead to labels of the function. */
static bool add_entries(struct verify_moves *moves, const struct verify_code_section *section,
                        const struct verify_function *function, const struct verify_piece *table,
                        uint32_t table_rva, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry, entry_rva = (uint64_t)table_rva + (uint64_t)i * ENTRY_NBYTES;
        if (entry_rva + ENTRY_NBYTES > table->end_rva ||
            !verify_read_at(&moves->judged->old_image, entry_rva, ENTRY_NBYTES, &entry))
            return verify_moves_unproved(moves, table_rva, "The jump table at RVA 0x%X cannot be read.",
                                         (unsigned)table_rva);
        int64_t label_rva = (int64_t)table_rva + (int32_t)entry;
        const struct verify_piece *code =
            label_rva < 0 ? NULL : verify_piece_at(&moves->map, (uint64_t)label_rva);
        if (!code || label_rva < function->rva || label_rva >= function->end_rva ||
            !verify_bit(section->starts, (size_t)(label_rva - section->rva)))
            return verify_moves_unproved(
                moves, (uint32_t)entry_rva,
                "The entry at RVA 0x%llX of a jump table does not lead into its function.",
                (unsigned long long)entry_rva);
        if (!verify_moves_field(moves, entry_rva, ENTRY_NBYTES,
                                entry + (uint64_t)(code->delta - table->delta), "an entry of a jump table"))
            return false;
    }
    return true;
}

bool verify_label_table(struct verify_moves *moves, const struct verify_code_section *section, size_t at,
                        uint32_t table_rva)
{
    bool loads;
    size_t load_at = at;
    struct verify_function *function = verify_function_at(&moves->code, section->rva + (uint32_t)at);
    /* Asked first: it marks where instructions begin. */
    bool is_clean = function && verify_function_is_clean(&moves->code, function);
    if (!is_label_jump(moves, section, at, &loads, &load_at)) {
        bool is_known = !loads && !looks_like_labels(moves, table_rva);
        if (is_known || leads_to_its_own(moves, table_rva))
            return true;
        if (!is_clean || !is_loop_jump(moves, section, function, at, &load_at))
            return verify_moves_unproved(moves, section->rva + (uint32_t)at,
                                         "The instruction at RVA 0x%X takes the address of a table of label "
                                         "differences; its use is not followed.",
                                         (unsigned)(section->rva + at));
    }
    const struct verify_piece *table = verify_piece_at(&moves->map, table_rva);
    uint32_t count = is_clean ? verify_label_count(moves, section, function, load_at) : 0;
    if (!table || count == 0 || count > ENTRY_MAX_COUNT || count > moves->budget_count)
        return verify_moves_unproved(moves, section->rva + (uint32_t)at,
                                     "The length of the jump table at RVA 0x%X is not known.",
                                     (unsigned)table_rva);
    moves->budget_count -= count; /* many places may name one table */
    return add_entries(moves, section, function, table, table_rva, count);
}
