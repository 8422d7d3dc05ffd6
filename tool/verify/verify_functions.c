/* verify_functions.c - linear decoding of the ranges that x64 unwind data bounds.
 * Takes: one function.  Gives: clean or not, and its instruction starts.  Must not: decode a function twice.
 */
#include "verify/verify_code.h"

struct verify_function *verify_function_at(struct verify_code *code, uint32_t rva)
{
    size_t low = 0, high = code->function_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->functions[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || rva >= code->functions[low - 1].end_rva)
        return NULL;
    return &code->functions[low - 1];
}

/* Marks the instruction starts; false when the bytes are not one instruction after the other. */
static bool mark_starts(struct verify_code *code, const struct verify_code_section *section, size_t begin,
                        size_t end)
{
    struct verify_instruction instruction;
    for (size_t at = begin; at < end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction) || instruction.is_unlikely ||
            instruction.nbytes > end - at)
            return false;
        verify_set_bit(section->starts, at);
    }
    return true;
}

static bool branches_meet_starts(struct verify_code *code, const struct verify_code_section *section,
                                 size_t begin, size_t end)
{
    struct verify_instruction instruction;
    for (size_t at = begin; at < end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction))
            return false;
        int64_t target = (int64_t)at + instruction.target;
        if (instruction.has_target && target >= (int64_t)begin && target < (int64_t)end &&
            !verify_bit(section->starts, (size_t)target))
            return false;
    }
    return true;
}

bool verify_function_is_clean(struct verify_code *code, struct verify_function *function)
{
    if (function->state == FUNCTION_UNSEEN) {
        const struct verify_code_section *section = verify_code_at(code, function->rva);
        size_t begin = function->rva - section->rva, end = function->end_rva - section->rva;
        if (!mark_starts(code, section, begin, end))
            function->state = FUNCTION_UNCLEAN;
        else
            function->state =
                branches_meet_starts(code, section, begin, end) ? FUNCTION_CLEAN : FUNCTION_TANGLED;
    }
    return function->state == FUNCTION_CLEAN;
}
