/* code_speculate.c - may these bytes be code?
 * Takes: a candidate.  Gives: whether the straight line from it decodes cleanly to a return, a jump, or code
 * that is already known; and for mere pointers, whether it convinces as a function (code_evidence.h).
 * Must not: classify bytes or add references.
 *
 * Linear: when a line fails, every instruction start on it is marked, so that no byte is the start of a
 * failing decode twice; a line that passes becomes code. */
#include "code/code_evidence.h"
#include "code/literals.h"

/* Larger functions than this were not met. */
enum { NEAR_TABLE_NBYTES = 256 * 1024 };

enum step { STEP_ON, STEP_CLEAN, STEP_NOT_CODE, STEP_NOT_FUNCTION };

/* Zero bytes decode as `add [rax], al`. */
static bool is_odd(const struct instruction *instruction, const uint8_t *bytes)
{
    return instruction->operation == OP_ODD || (instruction->nbytes >= 2 && bytes[0] == 0 && bytes[1] == 0) ||
           (instruction->rel_nbytes != 0 && !instruction->target_fits);
}

/* A direct branch of real code leads to an instruction, or to bytes that nothing else has claimed. */
static bool target_is_plausible(const struct code_reader *reader, const struct instruction *instruction)
{
    if (instruction->rel_nbytes == 0)
        return true;
    const struct reader_section *section = reader_section_at(reader, instruction->target_rva);
    if (!section)
        return false;
    uint32_t at = instruction->target_rva - section->rva;
    return byte_class_at(section, at) == BYTE_INSTRUCTION ||
           (byte_is_unknown(section, at) && !(section->marks[at] & MARK_DATA_OPERAND));
}

static bool operand_is_plausible(const struct code_reader *reader, const struct instruction *instruction)
{
    if (!instruction->is_rip_relative)
        return true;
    int64_t target = (int64_t)instruction_end_rva(instruction) + instruction->disp;
    return target >= 0 && target < (int64_t)reader->image->image_nbytes;
}

/* Two entries of a table of RVAs that lead to places not far from it, where code can be. Visual C++ puts the
 * tables of a switch behind the function's code, aligned; most of their bytes decode, but hardly any code
 * looks like this. */
bool speculate_sees_table(const struct code_reader *reader, const struct reader_section *section, uint32_t at)
{
    if (!reader->is_64 || (section->rva + at) % 4 != 0)
        return false;
    if (!range_fits(section->nbytes, at, 2 * sizeof(uint32_t)))
        return false;
    for (size_t i = 0; i < 2; i++) {
        uint32_t target = load_u32(section->bytes + at + i * sizeof(uint32_t));
        int64_t distance = (int64_t)target - (int64_t)(section->rva + at);
        const struct reader_section *there = reader_section_at(reader, target);
        if (distance > NEAR_TABLE_NBYTES || distance < -NEAR_TABLE_NBYTES || !there)
            return false;
        enum byte_class byte_class = byte_class_at(there, target - there->rva);
        if (byte_class != BYTE_INSTRUCTION && byte_class != BYTE_UNKNOWN)
            return false;
    }
    return true;
}

/* One instruction of the line. A line that runs into known code is clean. One that began at a pointer must
 * not run into the begin of a function: functions do not fall into each other, but data in front of one
 * would. */
static enum step step(const struct line *line, struct instruction *instruction)
{
    struct code_reader *reader = line->reader;
    const struct reader_section *section = line->section;
    const struct bound *bound = line->bound;
    uint32_t at = line->at;
    bool is_pointer = line->trust == TRUST_POINTER;
    if (at >= section->nbytes)
        return STEP_NOT_CODE;
    if (bound && section->rva + at == bound->end_rva)
        return STEP_CLEAN; /* a call that does not return may be a function's last instruction */
    if (byte_class_at(section, at) == BYTE_INSTRUCTION)
        return is_pointer && byte_begins_function(section, at) ? STEP_NOT_FUNCTION : STEP_CLEAN;
    const uint8_t *bytes = section->bytes + at;
    if (!byte_is_unknown(section, at) || section->marks[at] & (MARK_NOT_CODE | MARK_DATA_OPERAND) ||
        !decode(reader->decoder, bytes, section->nbytes - at, section->rva + at, instruction) ||
        !descent_fits(section, instruction) || is_odd(instruction, bytes) ||
        !target_is_plausible(reader, instruction) || !operand_is_plausible(reader, instruction) ||
        (bound && instruction_end_rva(instruction) > bound->end_rva))
        return STEP_NOT_CODE;
    if (is_pointer && section->marks[at] & MARK_NOT_FUNCTION)
        return STEP_NOT_FUNCTION;
    if (is_pointer && at == line->begin && !evidence_begins_like_function(instruction))
        return STEP_NOT_FUNCTION;
    return STEP_ON;
}

static void follow_branch(struct line *line, const struct instruction *instruction)
{
    uint32_t target = instruction->target_rva - line->section->rva;
    if (instruction->flow == FLOW_BRANCH && target > line->reach && target - line->begin < NEAR_TABLE_NBYTES)
        line->reach = target;
}

/* Takes the instruction that step() has just passed into account. A pointer's line goes on behind a return to
 * where its branches lead, up to the function's last one. */
static enum step advance(struct line *line, const struct instruction *instruction)
{
    evidence_take(line, instruction);
    follow_branch(line, instruction);
    line->at += instruction->nbytes;
    /* Fill bytes behind a call: it does not return, and the line ends here. */
    bool ends = flow_ends(instruction->flow) || (instruction->flow == FLOW_BREAK && line->after_call);
    line->after_call = evidence_is_call(instruction);
    if (!ends || (line->trust == TRUST_POINTER && !line->evidence.convinces && line->reach >= line->at))
        return STEP_ON;
    evidence_take_end(line);
    return STEP_CLEAN;
}

/* Adds the instruction start at line->at to the chain. False when memory ran out. */
static bool chain_add(struct line *line)
{
    struct code_reader *reader = line->reader;
    uint32_t *grown = arena_grow(reader->arena, reader->chain, line->length, &reader->chain_capacity,
                                 line->length + 1, sizeof *grown);
    if (!grown)
        return false;
    reader->chain = grown;
    reader->chain[line->length++] = line->at;
    return true;
}

/* What a pointer leads to may well be a string that decodes cleanly. */
static bool is_text(const struct reader_section *section, uint32_t at)
{
    struct span bytes = {section->bytes, section->nbytes};
    return at < section->nbytes && byte_is_unknown(section, at) &&
           literal_nbytes(bytes, section->classes, at) >= LEAST_NAMED_LITERAL_NBYTES;
}

bool speculate(struct code_reader *reader, struct reader_section *section, uint32_t rva, enum trust trust,
               bool *is_code)
{
    uint32_t until_rva;
    struct line line = {.reader = reader,
                        .section = section,
                        .bound = reader_bound_at(reader, rva, &until_rva),
                        .trust = trust,
                        .begin = rva - section->rva,
                        .at = rva - section->rva,
                        .evidence = {.stack_is_known = true}};
    if (trust == TRUST_POINTER && is_text(section, rva - section->rva)) {
        section->marks[rva - section->rva] |= MARK_NOT_FUNCTION;
        *is_code = false;
        return true;
    }
    enum step result = STEP_ON;
    if (speculate_sees_table(reader, section, line.begin))
        result = STEP_NOT_CODE;
    line.evidence.convinces = line.bound || evidence_is_frame_prologue(&line);
    while (result == STEP_ON) {
        struct instruction instruction = {0};
        result = step(&line, &instruction);
        if (result == STEP_NOT_CODE || result == STEP_NOT_FUNCTION || instruction.nbytes == 0)
            break;
        if (!chain_add(&line))
            return false;
        result = advance(&line, &instruction);
    }
    if (result == STEP_CLEAN && trust == TRUST_POINTER && !evidence_is_enough(&line))
        result = STEP_NOT_FUNCTION;
    *is_code = result == STEP_CLEAN;
    if (!*is_code)
        for (size_t i = 0; i < line.length; i++)
            section->marks[reader->chain[i]] |=
                result == STEP_NOT_FUNCTION ? MARK_NOT_FUNCTION : MARK_NOT_CODE;
    return true;
}
