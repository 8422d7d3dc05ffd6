/* verify_data_routine.c - the criterion of verify_data_routine.h.
 * Takes: an RVA.  Gives: whether a routine begins there.  Must not: follow branches. */
#include "verify/verify_data_routine.h"
#include "verify/verify_text_literal.h"

enum {
    MOST_INSTRUCTIONS = 512,
    LEAST_INSTRUCTIONS = 3 /* fewer are found in numbers by chance */
};

static bool leads_to_code(const struct verify_code *code, const struct verify_section *section,
                          int64_t target_rva)
{
    const struct verify_section *there = target_rva < 0 || target_rva > UINT32_MAX
                                             ? NULL
                                             : verify_section_at(code->image, (uint32_t)target_rva);
    return there && (there == section || verify_code_at(code, (uint64_t)target_rva));
}

/* What the callee removes from the stack are whole words; on x64 it removes nothing. */
static bool is_odd_return(const struct verify_code *code, const struct verify_instruction *instruction,
                          const uint8_t *bytes)
{
    bool removes = instruction->flow == FLOW_STOP && instruction->imm_nbytes[0] == 2;
    uint16_t removed_nbytes = removes ? load_u16(bytes + instruction->imm_at[0]) : 0;
    return removed_nbytes != 0 && (code->decoder.is_64 || removed_nbytes % 4 != 0);
}

uint32_t verify_data_routine_nbytes(struct verify_code *code, uint32_t rva)
{
    const struct verify_section *section = verify_section_at(code->image, rva);
    if (!section || verify_code_at(code, rva) || rva - section->rva >= section->bytes.nbytes ||
        verify_is_text_literal(code->image, rva, &code->step_count))
        return 0;
    struct verify_instruction instruction;
    uint32_t at = rva - section->rva;
    for (unsigned count = 1; count <= MOST_INSTRUCTIONS; count++, at += instruction.nbytes) {
        code->step_count++;
        if (!verify_decode(&code->decoder, section->bytes, at, &instruction) || instruction.is_unlikely ||
            is_odd_return(code, &instruction, section->bytes.bytes + at) ||
            verify_is_typed(code->tables, section->rva + at, section->rva + at + instruction.nbytes) ||
            (instruction.has_target &&
             !leads_to_code(code, section, (int64_t)section->rva + at + instruction.target)))
            return 0;
        if (instruction.flow == FLOW_STOP || instruction.flow == FLOW_JUMP)
            return count >= LEAST_INSTRUCTIONS ? at + instruction.nbytes - (rva - section->rva) : 0;
    }
    return 0;
}

bool verify_is_routine_operand(const struct verify_code *code, uint32_t rva, uint32_t field_rva,
                               uint32_t field_nbytes)
{
    const struct verify_section *section = verify_section_at(code->image, rva);
    struct verify_instruction instruction;
    uint32_t at = rva;
    while (section && at <= field_rva &&
           verify_decode(&code->decoder, section->bytes, at - section->rva, &instruction)) {
        uint32_t field_at = field_rva - at;
        if (field_at < instruction.nbytes)
            return (instruction.disp_nbytes == field_nbytes && instruction.disp_at == field_at) ||
                   (instruction.imm_nbytes[0] == field_nbytes && instruction.imm_at[0] == field_at);
        at += instruction.nbytes;
    }
    return false;
}
