/* verify_operand.c - decodes around one field.
 * Takes: a field.  Gives: its uses.  Must not: decode more than a fixed number of instructions per field. */
#include "verify/verify_operand.h"

enum {
    WINDOW_NBYTES = 64,       /* how far before the field decoding begins */
    WINDOW_START_NBYTES = 16, /* that many starts: more than the longest instruction */
    /* prefixes, opcode, ModRM and SIB before a displacement, or that and disp32 */
    FIELD_DEEPEST_NBYTES = VERIFY_OPERAND_DEEPEST_NBYTES,
    SYNCHRONISED_NBYTES = 32, /* from here on, wrong starts have mostly fallen into step */
    NAMED_ALIGN_NBYTES = 16
};

static bool has_field(const struct verify_instruction *instruction, size_t at,
                      const struct verify_field_in_code *field)
{
    size_t inside = field->at - at;
    bool is_disp = instruction->disp_nbytes == field->nbytes && instruction->disp_at == inside;
    switch (field->kind) {
    case FIELD_RIP_RELATIVE:
        return is_disp && instruction->is_rip_relative &&
               instruction->nbytes == inside + field->nbytes + field->trailing_nbytes;
    case FIELD_BASE_RELATIVE:
        return is_disp && !instruction->is_rip_relative && !instruction->is_stack_relative;
    case FIELD_ABSOLUTE:
        for (unsigned i = 0; i < 2; i++)
            if (instruction->imm_nbytes[i] == field->nbytes && instruction->imm_at[i] == inside)
                return true;
        return is_disp;
    case FIELD_CALL:
        return instruction->flow == FLOW_CALL && instruction->has_target && instruction->imm_nbytes[0] == 4 &&
               instruction->imm_at[0] == inside;
    case FIELD_BRANCH:
        return instruction->has_target && instruction->imm_nbytes[0] == field->nbytes &&
               instruction->imm_at[0] == inside;
    }
    return false;
}

static void add_use(struct verify_code *code, const struct verify_field_in_code *field, size_t at,
                    struct verify_uses *uses)
{
    unsigned use = field->kind == FIELD_CALL || field->kind == FIELD_BRANCH
                       ? USE_ADDRESS
                       : verify_decode_use(&code->decoder, field->section->bytes, at, field->at);
    code->step_count++;
    if (!uses->is_operand)
        uses->operand_at = at;
    if ((use & USE_WRITE) && !(uses->uses & USE_WRITE))
        uses->write_at = at;
    uses->uses |= use;
    uses->is_operand = true;
}

static struct verify_uses no_uses(void)
{
    return (struct verify_uses){.is_unanimous = true, .operand_at = SIZE_MAX, .write_at = SIZE_MAX};
}

struct verify_uses verify_uses_at(struct verify_code *code, const struct verify_field_in_code *field,
                                  size_t at)
{
    struct verify_uses uses = no_uses();
    struct verify_instruction instruction;
    if (verify_code_decode(code, field->section, at, &instruction) && has_field(&instruction, at, field))
        add_use(code, field, at, &uses);
    return uses;
}

struct verify_uses verify_uses_possible(struct verify_code *code, const struct verify_field_in_code *field)
{
    struct verify_uses uses = no_uses();
    struct verify_instruction instruction;
    for (size_t before = 1; before <= FIELD_DEEPEST_NBYTES && before <= field->at; before++)
        if (verify_code_decode(code, field->section, field->at - before, &instruction) &&
            has_field(&instruction, field->at - before, field))
            add_use(code, field, field->at - before, &uses);
    return uses;
}

static struct verify_uses uses_in_function(struct verify_code *code, const struct verify_field_in_code *field)
{
    struct verify_uses uses = no_uses();
    struct verify_instruction instruction;
    for (size_t before = 0; before < INSTRUCTION_MAX_NBYTES && before <= field->at; before++) {
        size_t at = field->at - before;
        if (!verify_bit(field->section->starts, at))
            continue;
        if (verify_code_decode(code, field->section, at, &instruction) && has_field(&instruction, at, field))
            add_use(code, field, at, &uses);
        break;
    }
    return uses;
}

/* How decoding came to a byte, as bits. */
enum { REACHED_THROUGH = 1, REACHED_FROM_NAME = 2, REACHED_FROM_NEAR = 4 };

/* What the ways into one field have met so far. */
struct window_result {
    struct verify_uses firm; /* by code that runs through, or from a named address */
    struct verify_uses all;  /* by any way */
    size_t through_at; /* the instruction that code running through has on the field; SIZE_MAX: none yet */
    bool is_doubtful;  /* code running through disagrees, or looks like data */
};

static unsigned reached_as_start(const struct verify_field_in_code *field, size_t first, size_t at)
{
    bool is_near =
        verify_bit(field->section->near, at) || (field->section->rva + at) % NAMED_ALIGN_NBYTES == 0;
    /* At the begin of a section no instruction comes from before: code there begins with its first byte, or
     * where something names it. */
    size_t start_nbytes = first == 0 ? 1 : (size_t)WINDOW_START_NBYTES;
    return (at - first < start_nbytes ? REACHED_THROUGH : 0u) |
           (verify_bit(field->section->named, at) ? REACHED_FROM_NAME : 0u) |
           (is_near ? REACHED_FROM_NEAR : 0u);
}

/* The instruction at `at`, reached in the ways `how`, holds the field's first byte. */
static void meet_field(struct verify_code *code, const struct verify_field_in_code *field, size_t at,
                       unsigned how, bool is_operand, struct window_result *result)
{
    if (how & REACHED_THROUGH) {
        if (result->through_at != SIZE_MAX && result->through_at != at)
            result->is_doubtful = true;
        result->through_at = at;
    }
    if (!is_operand)
        return;
    add_use(code, field, at, &result->all);
    if (how & (REACHED_THROUGH | REACHED_FROM_NAME))
        add_use(code, field, at, &result->firm);
}

/* A branch forward inside the window leads where decoding goes on, as surely as the branch was reached. */
static void follow_forward(const struct verify_instruction *instruction, size_t at, size_t first,
                           unsigned how, const struct verify_field_in_code *field, uint8_t *reached)
{
    if (!instruction->has_target || instruction->target <= 0 ||
        instruction->target >= (int64_t)(field->at - at))
        return;
    uint8_t *mark = &reached[at + (size_t)instruction->target - first];
    *mark = (uint8_t)(*mark | how);
}

/* No code runs through import tables: behind them the window begins anew. */
static size_t first_in_window(const struct verify_code *code, const struct verify_field_in_code *field)
{
    size_t first = field->at < WINDOW_NBYTES ? 0 : field->at - WINDOW_NBYTES;
    uint64_t field_rva = (uint64_t)field->section->rva + field->at;
    const struct verify_range *table = verify_import_at(code->tables, field->section->rva + first, field_rva);
    return table ? (size_t)(table->end_rva < field_rva ? table->end_rva : field_rva) - field->section->rva
                 : first;
}

/* `is_tangled`: instructions overlap here, so no way of decoding may be dropped. */
static struct verify_uses uses_in_window(struct verify_code *code, const struct verify_field_in_code *field,
                                         bool is_tangled)
{
    struct window_result result = {
        .firm = no_uses(), .all = no_uses(), .through_at = SIZE_MAX, .is_doubtful = is_tangled};
    struct verify_instruction instruction;
    uint8_t reached[WINDOW_NBYTES + INSTRUCTION_MAX_NBYTES] = {0};
    size_t first = first_in_window(code, field);
    for (size_t at = first; at < field->at; at++) {
        unsigned how = reached[at - first] | reached_as_start(field, first, at);
        if (how == 0 || !verify_code_decode(code, field->section, at, &instruction))
            continue;
        if ((how & REACHED_THROUGH) && instruction.is_unlikely && field->at - at <= SYNCHRONISED_NBYTES)
            result.is_doubtful = true;
        follow_forward(&instruction, at, first, how, field, reached);
        size_t next = at + instruction.nbytes;
        if (next <= field->at)
            reached[next - first] = (uint8_t)(reached[next - first] | how);
        else
            meet_field(code, field, at, how, has_field(&instruction, at, field), &result);
    }
    if (reached[field->at - first] & REACHED_THROUGH)
        result.is_doubtful = true; /* an instruction may begin with the field itself */
    bool is_agreed = !result.is_doubtful && result.through_at != SIZE_MAX;
    struct verify_uses *uses = is_agreed ? &result.firm : &result.all;
    uses->is_unanimous = is_agreed && uses->operand_at == result.through_at;
    return *uses;
}

struct verify_uses verify_uses_resolved(struct verify_code *code, const struct verify_field_in_code *field)
{
    struct verify_function *function = verify_function_at(code, (uint32_t)(field->section->rva + field->at));
    if (function && verify_function_is_clean(code, function))
        return uses_in_function(code, field);
    return uses_in_window(code, field, function && function->state == FUNCTION_TANGLED);
}
