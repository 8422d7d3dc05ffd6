/* verify_ways.c - collects branches, and looks them up by where they lead.
 * Takes: see the header.  Gives: see the header.  Must not: decode a function more than twice. */
#include "verify/verify_ways.h"

#include <stdlib.h>

enum { SHORT_JUMP_NBYTES = 2, SHORT_REACH_NBYTES = 130, LABEL_MAX_COUNT = 64 };

static int compare_branches(const void *left, const void *right)
{
    const struct verify_branch *a = left, *b = right;
    if (a->to_rva != b->to_rva)
        return a->to_rva < b->to_rva ? -1 : 1;
    return a->from_rva < b->from_rva ? -1 : a->from_rva > b->from_rva;
}

static bool collect(struct verify_code *code, struct arena *arena, const struct verify_function *function,
                    size_t *capacity)
{
    const struct verify_code_section *section = verify_code_at(code, function->rva);
    struct verify_instruction instruction;
    for (uint32_t rva = function->rva; section && rva < function->end_rva; rva++) {
        if (!verify_bit(section->starts, rva - section->rva) ||
            !verify_code_decode(code, section, rva - section->rva, &instruction) || !instruction.has_target)
            continue;
        struct verify_branch *grown = arena_grow(arena, code->branches, code->branch_count, capacity,
                                                 code->branch_count + 1, sizeof *code->branches);
        if (!grown)
            return false;
        code->branches = grown;
        code->branches[code->branch_count++] = (struct verify_branch){
            (uint32_t)((int64_t)rva + instruction.target), rva, instruction.flow == FLOW_CALL};
    }
    return true;
}

bool verify_branches_find(struct verify_code *code, struct arena *arena)
{
    size_t capacity = 0;
    for (size_t i = 0; i < code->function_count; i++)
        if (verify_function_is_clean(code, &code->functions[i]) &&
            !collect(code, arena, &code->functions[i], &capacity))
            return false;
    if (code->branch_count > 1)
        qsort(code->branches, code->branch_count, sizeof *code->branches, compare_branches);
    code->has_branches = true;
    return true;
}

static size_t first_branch_to(const struct verify_code *code, uint32_t rva)
{
    size_t low = 0, high = code->branch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->branches[middle].to_rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool verify_is_called_between(const struct verify_code *code, uint32_t rva, uint32_t last_rva)
{
    for (size_t i = first_branch_to(code, rva + 1);
         i < code->branch_count && code->branches[i].to_rva <= last_rva; i++)
        if (code->branches[i].is_call)
            return true;
    return !code->has_branches;
}

/* The instruction that ends where `at` begins and goes on there. */
static bool falls_into(const struct verify_code *code, const struct verify_code_section *section,
                       size_t begin, size_t at, size_t *from)
{
    struct verify_full full;
    for (size_t back = 1; back <= INSTRUCTION_MAX_NBYTES && back <= at - begin; back++) {
        if (!verify_bit(section->starts, at - back))
            continue;
        *from = at - back;
        return verify_decode_full(code, section, *from, &full) && full.decoded.length == back &&
               verify_falls_through(&full);
    }
    return false;
}

size_t verify_ways_into(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_way ways[VERIFY_WAY_MAX_COUNT])
{
    uint32_t rva = section->rva + (uint32_t)at;
    struct verify_function *function = verify_function_at(code, rva);
    struct verify_full full;
    size_t count = 0;
    bool is_known = false;
    code->step_count++;
    if (!code->has_branches || !function || !verify_function_is_clean(code, function) ||
        rva == function->rva || verify_bit(section->pointed, at))
        return 0;
    for (size_t i = first_branch_to(code, rva); i < code->branch_count && code->branches[i].to_rva == rva;
         i++) {
        const struct verify_code_section *other = verify_code_at(code, code->branches[i].from_rva);
        if (other != section || count == VERIFY_WAY_MAX_COUNT ||
            !verify_decode_full(code, other, code->branches[i].from_rva - other->rva, &full) ||
            full.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            return 0;
        ways[count++] = (struct verify_way){code->branches[i].from_rva - section->rva, true};
        is_known = true;
    }
    if (verify_bit(section->called, at) && !is_known)
        return 0;
    size_t from;
    if (falls_into(code, section, function->rva - section->rva, at, &from)) {
        if (count == VERIFY_WAY_MAX_COUNT)
            return 0;
        ways[count++] = (struct verify_way){from, false};
    }
    return count;
}

/* A conditional or short branch at `from` leads to `to`. */
static bool branches_within(struct verify_code *code, const struct verify_code_section *section, size_t from,
                            size_t to)
{
    struct verify_instruction instruction;
    return verify_bit(section->starts, from) && verify_code_decode(code, section, from, &instruction) &&
           instruction.has_target && (int64_t)from + instruction.target == (int64_t)to &&
           (instruction.flow == FLOW_BRANCH ||
            (instruction.flow == FLOW_JUMP && instruction.nbytes == SHORT_JUMP_NBYTES));
}

bool verify_is_inner_label(struct verify_code *code, const struct verify_code_section *section, size_t at)
{
    struct verify_instruction instruction;
    uint32_t rva = section->rva + (uint32_t)at;
    bool is_label = false;
    if (!code->has_branches) {
        size_t first = at > SHORT_REACH_NBYTES ? at - SHORT_REACH_NBYTES : 0;
        for (size_t from = first; from < at + SHORT_REACH_NBYTES && from < section->bytes.nbytes; from++)
            is_label = is_label || branches_within(code, section, from, at);
        return is_label;
    }
    unsigned looked_at_count = 0;
    for (size_t i = first_branch_to(code, rva); i < code->branch_count && code->branches[i].to_rva == rva;
         i++) {
        const struct verify_code_section *from = verify_code_at(code, code->branches[i].from_rva);
        if (looked_at_count++ == LABEL_MAX_COUNT || !from ||
            !verify_code_decode(code, from, code->branches[i].from_rva - from->rva, &instruction))
            return true;
        if (instruction.flow == FLOW_CALL)
            return false;
        is_label = is_label || branches_within(code, from, code->branches[i].from_rva - from->rva,
                                               (size_t)(rva - from->rva));
    }
    return is_label;
}
