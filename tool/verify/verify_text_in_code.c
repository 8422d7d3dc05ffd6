/* verify_text_in_code.c - see verify_text_in_code.h. */
#include "verify/verify_text_in_code.h"
#include "verify/verify_text_literal.h"

enum { TEXT_MIN_NBYTES = 6, BACK_MAX_NBYTES = 1024, DISP32_NBYTES = 4 };

/* Some function that decodes cleanly takes exactly this address. */
static bool is_taken(struct verify_code *code, uint32_t rva)
{
    for (uint32_t i = 0; i < code->section_count; i++) {
        const struct verify_code_section *section = &code->sections[i];
        for (size_t at = 1; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at++) {
            uint32_t end_rva = section->rva + (uint32_t)at + DISP32_NBYTES;
            struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_RIP_RELATIVE, 0};
            code->step_count++;
            if ((section->bytes.bytes[at - 1] & 0xC7) != 0x05 ||
                end_rva + load_u32(section->bytes.bytes + at) != rva)
                continue;
            struct verify_function *function = verify_function_at(code, section->rva + (uint32_t)at);
            if (!function || !verify_function_is_clean(code, function))
                continue;
            struct verify_uses uses = verify_uses_resolved(code, &field);
            if (uses.is_operand && uses.is_unanimous && uses.uses == USE_ADDRESS)
                return true;
        }
    }
    return false;
}

static bool is_between_functions(struct verify_code *code, uint32_t rva, uint64_t end_rva)
{
    for (uint64_t at_rva = rva; at_rva < end_rva; at_rva++)
        if (verify_function_at(code, (uint32_t)at_rva))
            return false;
    return true;
}

/* Where the first of all instructions begins that could have the field in it. */
static size_t first_instruction(struct verify_code *code, const struct verify_field_in_code *field)
{
    struct verify_instruction instruction;
    size_t first_at = field->at;
    for (size_t before = 1; before < INSTRUCTION_MAX_NBYTES && before <= field->at; before++)
        if (verify_code_decode(code, field->section, field->at - before, &instruction) &&
            instruction.nbytes > before)
            first_at = field->at - before;
    return first_at;
}

/* Text that covers the bytes of the section up to end_at, not those behind; *begin_at: where it begins. */
static bool text_ends_at(struct verify_code *code, const struct verify_code_section *section, size_t end_at,
                         uint32_t *budget_count, size_t *begin_at)
{
    for (size_t back = 1; back <= end_at && back < BACK_MAX_NBYTES; back++) {
        size_t at = end_at - back;
        uint8_t byte = section->bytes.bytes[at];
        code->step_count++;
        if (byte != 0 && byte != '\t' && byte != '\n' && byte != '\r' && (byte < ' ' || byte > '~'))
            return false;
        if (!verify_bit(section->named, at))
            continue;
        uint32_t rva = section->rva + (uint32_t)at;
        size_t nbytes = verify_text_nbytes(code->image, rva, &code->step_count);
        if (nbytes < TEXT_MIN_NBYTES || at + nbytes < end_at)
            continue;
        if (*budget_count == 0 || !is_between_functions(code, rva, (uint64_t)rva + nbytes))
            return false;
        --*budget_count;
        *begin_at = at;
        return is_taken(code, rva);
    }
    return false;
}

/* Each instruction that could have the field in it has to begin in text; one that begins with int3 is no
 * longer than that. */
bool verify_is_text_in_code(struct verify_code *code, const struct verify_field_in_code *field,
                            uint32_t *budget_count)
{
    enum { INT3 = 0xCC };
    const struct verify_code_section *section = field->section;
    if (!code->image->is_64)
        return false;
    size_t first_at = first_instruction(code, field);
    for (size_t end_at = field->at; end_at > first_at;) {
        if (end_at < field->at && section->bytes.bytes[end_at - 1] == INT3)
            end_at--;
        else if (!text_ends_at(code, section, end_at, budget_count, &end_at))
            return false;
    }
    return true;
}
