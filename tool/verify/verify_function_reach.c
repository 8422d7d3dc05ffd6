/* verify_function_reach.c - see the header.
 * Takes: the instructions of a function, in the order of their addresses.  Gives: a bound, kept with the
 * function. Must not: follow control flow: what is not on the way counts as well. */
#include "verify/verify_function_reach.h"

enum {
    WIDEST_ACCESS_NBYTES = 64,
    STEPPED_NBYTES = 8, /* by inc, dec or a string instruction that is not repeated */
    PASSES = 2
};

/* The displacement or immediate at `field`, as the processor extends it, without its sign. */
static uint64_t magnitude(const uint8_t *field, unsigned nbytes)
{
    uint64_t value = load_width(field, nbytes), sign = UINT64_C(1) << (8 * nbytes - 1);
    return value & sign ? (~value + 1) & (sign | (sign - 1)) : value;
}

/* What this instruction may add to an address. */
static uint64_t added_nbytes(const struct verify_instruction *instruction, const uint8_t *bytes)
{
    uint64_t nbytes = STEPPED_NBYTES;
    if (instruction->disp_nbytes != 0 && !instruction->is_plain_memory && !instruction->is_stack_relative)
        nbytes += magnitude(bytes + instruction->disp_at, instruction->disp_nbytes);
    if (instruction->adds_immediate)
        nbytes += magnitude(bytes + instruction->imm_at[0], instruction->imm_nbytes[0]);
    return nbytes;
}

static uint32_t sum_of(struct verify_code *code, const struct verify_function *function)
{
    const struct verify_code_section *section = verify_code_at(code, function->rva);
    struct verify_instruction instruction;
    uint64_t sum_nbytes = WIDEST_ACCESS_NBYTES;
    size_t end = function->end_rva - section->rva;
    for (size_t at = function->rva - section->rva; at < end; at++) {
        if (!verify_bit(section->starts, at))
            continue;
        code->step_count++;
        if (!verify_decode(&code->decoder, section->bytes, at, &instruction))
            return UINT32_MAX;
        sum_nbytes += PASSES * added_nbytes(&instruction, section->bytes.bytes + at);
        if (sum_nbytes > INT32_MAX)
            return UINT32_MAX;
        at += instruction.nbytes - 1u;
    }
    return (uint32_t)sum_nbytes;
}

uint32_t verify_function_reach(struct verify_code *code, struct verify_function *function)
{
    if (!verify_function_is_clean(code, function))
        return UINT32_MAX;
    if (function->reach_nbytes == 0)
        function->reach_nbytes = sum_of(code, function);
    return function->reach_nbytes;
}
