/* verify_code_target.c - the criterion of verify_code_target.h.
 * Takes: an RVA.  Gives: whether code begins there.  Must not: follow branches. */
#include "verify/verify_code_target.h"
#include "verify/verify_among_code.h"

enum { RUN_INSTRUCTION_COUNT = 64, FUNCTION_ALIGN_NBYTES = 16 };

/* The byte before, or the instruction that ends there, never goes on into what follows. */
static bool follows_an_end(const struct verify_code_section *section, size_t at)
{
    const uint8_t *bytes = section->bytes.bytes;
    if (at == 0)
        return true;
    if (bytes[at - 1] == 0xCC || bytes[at - 1] == 0x90 || bytes[at - 1] == 0xC3) /* int3, nop, ret */
        return true;
    if (at >= 2 && bytes[at - 2] == 0xEB) /* jmp rel8 */
        return true;
    if (at >= 3 && bytes[at - 3] == 0xC2) /* ret imm16 */
        return true;
    return at >= 5 && bytes[at - 5] == 0xE9; /* jmp rel32 */
}

static bool is_marked(const struct verify_code *code, const struct verify_code_section *section, uint32_t rva)
{
    size_t at = rva - section->rva;
    return verify_bit(section->called, at) || rva == code->image->entry_rva ||
           rva % FUNCTION_ALIGN_NBYTES == 0 || follows_an_end(section, at);
}

/* C3 00 00 00: a variable rather than a function that only returns, behind which there is fill or code. */
static bool is_number(const struct verify_code_section *section, size_t at)
{
    return section->bytes.bytes[at] == 0xC3 && range_fits(section->bytes.nbytes, at, 4) &&
           load_u32(section->bytes.bytes + at) == 0xC3;
}

/* `follows_jumps`: a direct jump is no end, but leads on. */
static bool decodes_to_an_end(struct verify_code *code, const struct verify_code_section *section, size_t at,
                              bool follows_jumps)
{
    struct verify_instruction instruction;
    bool is_first = true; /* at the begin, or where a jump leads */
    for (unsigned i = 0; i < RUN_INSTRUCTION_COUNT; i++) {
        if (!verify_code_decode(code, section, at, &instruction) || instruction.is_unlikely)
            return false;
        uint64_t rva = section->rva + at;
        if (verify_is_typed(code->tables, rva, rva + instruction.nbytes))
            return false;
        int64_t target_rva = (int64_t)rva + instruction.target;
        if (instruction.has_target && (target_rva < 0 || !verify_code_at(code, (uint64_t)target_rva)))
            return false;
        if (instruction.flow == FLOW_STOP)
            return !is_first || (section->bytes.bytes[at] != 0xCC && !is_number(section, at));
        is_first = instruction.flow == FLOW_JUMP;
        if (is_first && !(follows_jumps && instruction.has_target))
            return true;
        at += instruction.nbytes;
        if (is_first) {
            section = verify_code_at(code, (uint64_t)target_rva);
            at = (uint64_t)target_rva - section->rva;
        }
    }
    return true;
}

bool verify_looks_like_code(struct verify_code *code, uint32_t rva, bool is_listed)
{
    const struct verify_code_section *section = verify_code_at(code, rva);
    if (!section)
        return false;
    struct verify_function *function = verify_function_at(code, rva);
    if (function && !function->is_gap) /* what lies between functions may be data that decodes */
        return rva == function->rva ||
               (verify_function_is_clean(code, function) && verify_bit(section->starts, rva - section->rva));
    return (is_listed || is_marked(code, section, rva)) &&
           decodes_to_an_end(code, section, rva - section->rva, false);
}

bool verify_is_code_target(struct verify_code *code, uint32_t rva, bool is_listed)
{
    const struct verify_code_section *section = verify_code_at(code, rva);
    struct verify_function *function = section ? verify_function_at(code, rva) : NULL;
    /* E9 00 00 00 00: a jump that is still to be written, rather than one that leads somewhere. */
    bool is_known = function && !function->is_gap;
    if (!verify_looks_like_code(code, rva, is_listed) ||
        (!is_known && !decodes_to_an_end(code, section, rva - section->rva, true)))
        return false;
    if (!function || !function->is_gap)
        return true;
    size_t at = rva - section->rva, begin = function->rva - section->rva;
    return verify_function_is_clean(code, function) && verify_bit(section->starts, at) &&
           (is_listed || verify_bit(section->called, at) || rva == code->image->entry_rva ||
            verify_follows_an_end(code, section, begin, at));
}
