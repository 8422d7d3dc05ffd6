/* code_descent.c - recursive descent with explicit work lists.
 * Takes: roots.  Gives: classes of the bytes, and every instruction handed to operands and tracking.
 * Must not: follow a candidate that code_speculate.c has not passed, or classify a byte twice.
 * Linear: a root is pushed at most once trusted and once as a candidate, and a byte that has become part of
 * an instruction is never decoded again. */
#include "code/code_internal.h"
#include "code/literals.h"

/* A pointer may convince only after its neighbours have become code. Few need more rounds than this. */
enum { MAX_RETRY_ROUNDS = 3 };

static bool list_add(struct code_reader *reader, struct work_list *list, struct work_item item)
{
    struct work_item *grown =
        arena_grow(reader->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *grown);
    if (!grown)
        return false;
    list->items = grown;
    list->items[list->count++] = item;
    return true;
}

/* A pointer into the middle of a function that unwind data bounds is a label, not another function. */
static bool begins_function(struct code_reader *reader, uint32_t rva, enum trust trust)
{
    uint32_t until_rva;
    const struct bound *bound = trust == TRUST_POINTER ? reader_bound_at(reader, rva, &until_rva) : NULL;
    return !bound || bound->begin_rva == rva;
}

bool descent_push(struct code_reader *reader, uint32_t rva, uint8_t source, enum trust trust,
                  uint32_t case_count)
{
    struct reader_section *section = reader_section_at(reader, rva);
    if (!section) {
        reader->map->bad_target_count += source == FUNCTION_CALL_TARGET || source == NO_SOURCE;
        return true;
    }
    uint32_t at = rva - section->rva;
    if (byte_lacks_source(section, at, source) && begins_function(reader, rva, trust))
        byte_set_source(section, at, source);
    int pushed = trust == TRUST_FULL ? MARK_TRUSTED : trust == TRUST_IF_CLEAN ? MARK_CANDIDATE : MARK_POINTER;
    if ((section->marks[at] & MARK_PUSHED) >= pushed)
        return true;
    section->marks[at] = (uint8_t)((section->marks[at] & ~MARK_PUSHED) | pushed);
    struct work_item item = {rva, case_count, (uint8_t)trust};
    return list_add(reader, trust == TRUST_FULL ? &reader->trusted : &reader->candidates, item);
}

/* True when a relocated field that begins `offset` bytes into the instruction is one of its fields. */
static bool is_operand_field(const struct instruction *instruction, unsigned offset, unsigned nbytes)
{
    return (instruction->disp_nbytes == nbytes && instruction->disp_offset == offset) ||
           (instruction->imm_nbytes[0] == nbytes && instruction->imm_offset[0] == offset) ||
           (instruction->imm_nbytes[1] == nbytes && instruction->imm_offset[1] == offset);
}

bool descent_fits_fields(const struct reader_section *section, const struct instruction *instruction)
{
    const uint8_t *marks = section->marks + (instruction->rva - section->rva);
    for (unsigned i = 0; i < instruction->nbytes;) {
        if (!(marks[i] & MARK_FIELD)) {
            i++;
            continue;
        }
        unsigned nbytes = (marks[i] & MARK_FIELD) == MARK_FIELD_8 ? 8 : 4;
        if (!mark_begins_field(marks[i]) || !is_operand_field(instruction, i, nbytes))
            return false;
        i += nbytes;
    }
    return true;
}

static void mark_instruction(struct code_reader *reader, struct reader_section *section,
                             const struct instruction *instruction)
{
    bytes_set_instruction(section, instruction->rva - section->rva, instruction->nbytes);
    reader->map->instruction_count++;
    reader->instructions_nbytes += instruction->nbytes;
}

/* What a branch leads to, for a switch behind a range check: `cmp x, n` and `jbe` leave n + 1 cases. */
static uint32_t cases_at_target(const struct tracker *tracker, const struct instruction *instruction)
{
    if (tracker->compared == UINT32_MAX)
        return 0;
    if (instruction->operation == OP_BRANCH_BELOW_OR_EQUAL)
        return tracker->compared + 1;
    return instruction->operation == OP_BRANCH_BELOW ? tracker->compared : 0;
}

static bool push_branch_target(struct code_reader *reader, const struct tracker *tracker,
                               const struct instruction *instruction, enum trust trust)
{
    if (instruction->rel_nbytes == 0)
        return true;
    if (!instruction->target_fits) {
        reader->map->bad_target_count++;
        return true;
    }
    uint8_t source = instruction->flow == FLOW_CALL ? FUNCTION_CALL_TARGET : NO_SOURCE;
    /* `call` to the next instruction fetches the program counter; nothing begins there. */
    if (source == FUNCTION_CALL_TARGET && instruction->target_rva == instruction_end_rva(instruction))
        source = NO_SOURCE;
    return descent_push(reader, instruction->target_rva, source,
                        trust == TRUST_FULL ? TRUST_FULL : TRUST_IF_CLEAN,
                        cases_at_target(tracker, instruction));
}

/* Whether the line goes on behind an int3. One that follows a call which never returns is mostly the first
 * of several fill bytes. */
static bool goes_on_after_break(const struct reader_section *section, uint32_t at)
{
    return at < section->nbytes && section->bytes[at] != 0xCC;
}

/* Behind a call and one int3 the function may go on, or it has ended with a call that never returns, and a
 * string literal or another function follows: it is code when it decodes like code, and is no text. */
static bool go_on_with_care(struct code_reader *reader, const struct reader_section *section, uint32_t rva)
{
    struct span bytes = {section->bytes, section->nbytes};
    if (literal_nbytes(bytes, section->classes, rva - section->rva) >= LEAST_NAMED_LITERAL_NBYTES)
        return true;
    return descent_push(reader, rva, NO_SOURCE, TRUST_IF_CLEAN, 0);
}

bool descent_follow(struct code_reader *reader, struct reader_section *section, struct work_item item)
{
    struct tracker tracker;
    track_begin(&tracker, item.case_count);
    uint32_t rva = item.rva, bound_until_rva = 0;
    const struct bound *bound = NULL;
    enum trust trust = (enum trust)item.trust;
    /* After a call, which may not return, and fill behind it; and where unwind data lets a fragment of a
     * function begin, which may be nothing but a table. */
    bool may_have_ended = false, is_behind_call = false;
    for (;;) {
        uint32_t at = rva - section->rva;
        if (at >= section->nbytes || !byte_is_unknown(section, at))
            return true;
        if (rva >= bound_until_rva || rva == item.rva)
            bound = reader_bound_at(reader, rva, &bound_until_rva);
        may_have_ended |= bound && rva == bound->begin_rva;
        if (may_have_ended && speculate_sees_table(reader, section, at))
            return true;
        struct instruction instruction;
        if (!decode(reader->decoder, section->bytes + at, section->nbytes - at, rva, &instruction) ||
            !descent_fits(section, &instruction))
            return true;
        rva = instruction_end_rva(&instruction);
        if (bound && rva > bound->end_rva) /* no instruction crosses the end of its function */
            return true;
        mark_instruction(reader, section, &instruction);
        if ((operands_want(&instruction) && !operands_add(reader, section, &instruction, bound)) ||
            (track_wants(&instruction) && !track_instruction(reader, &tracker, &instruction, bound, trust)) ||
            !push_branch_target(reader, &tracker, &instruction, trust))
            return false;
        if (flow_ends(instruction.flow) ||
            (instruction.flow == FLOW_BREAK && !goes_on_after_break(section, rva - section->rva)))
            return true;
        if (instruction.flow == FLOW_BREAK && is_behind_call && !bound)
            return go_on_with_care(reader, section, rva);
        bool is_call = instruction.flow == FLOW_CALL || instruction.flow == FLOW_CALL_INDIRECT;
        /* A call at the very end of a function is one that does not return. */
        if (bound && rva == bound->end_rva && is_call)
            return true;
        is_behind_call = is_call;
        may_have_ended = is_call || (may_have_ended &&
                                     (instruction.flow == FLOW_BREAK || instruction.operation == OP_NOP));
    }
}

static bool process(struct code_reader *reader, struct work_item item)
{
    struct reader_section *section = reader_section_at(reader, item.rva);
    enum byte_class byte_class = byte_class_at(section, item.rva - section->rva);
    if (byte_class != BYTE_UNKNOWN) {
        reader->map->bad_target_count += item.trust != TRUST_POINTER && byte_class != BYTE_INSTRUCTION;
        return true;
    }
    if (item.trust != TRUST_FULL) {
        bool is_code;
        if (!speculate(reader, section, item.rva, (enum trust)item.trust, &is_code))
            return false;
        if (!is_code)
            return true;
    }
    return descent_follow(reader, section, item);
}

bool descent_drain_trusted(struct code_reader *reader)
{
    for (;;) {
        while (reader->trusted.count != 0)
            if (!process(reader, reader->trusted.items[--reader->trusted.count]))
                return false;
        if (!tables_waiting(reader))
            return true;
        if (!tables_read_waiting(reader))
            return false;
    }
}

bool descent_drain_candidates(struct code_reader *reader)
{
    do {
        while (reader->candidates_done < reader->candidates.count)
            if (!process(reader, reader->candidates.items[reader->candidates_done++]))
                return false;
        if (!descent_drain_trusted(reader))
            return false;
    } while (reader->candidates_done < reader->candidates.count);
    return true;
}

static bool retry_round(struct code_reader *reader)
{
    for (size_t s = 0; s < reader->section_count; s++) {
        struct reader_section *section = &reader->sections[s];
        for (uint32_t at = 0;
             (at = bytes_find(section->marks, at, section->nbytes, MARK_NOT_FUNCTION)) < section->nbytes;
             at++)
            section->marks[at] &= (uint8_t)~MARK_NOT_FUNCTION;
    }
    size_t count = reader->candidates.count;
    for (size_t i = 0; i < count; i++)
        if (reader->candidates.items[i].trust == TRUST_POINTER &&
            !process(reader, reader->candidates.items[i]))
            return false;
    return descent_drain_candidates(reader);
}

bool descent_retry_pointers(struct code_reader *reader)
{
    uint64_t before;
    unsigned round = 0;
    do {
        before = reader->map->instruction_count;
        if (!retry_round(reader))
            return false;
    } while (reader->map->instruction_count > before && ++round < MAX_RETRY_ROUNDS);
    return true;
}
