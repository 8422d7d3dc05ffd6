/* verify_function_flow.c - control flow inside one function, as far as it is direct.
 * Takes: instruction starts.  Gives: see the header.  Must not: take more than a fixed number of passes. */
#include "verify/verify_function_flow.h"

enum { PASS_MAX_COUNT = 16 };

static bool reach(const struct verify_code_section *section, int64_t at, size_t begin, size_t end)
{
    if (at < (int64_t)begin || at >= (int64_t)end || verify_bit(section->reached, (size_t)at))
        return false;
    verify_set_bit(section->reached, (size_t)at);
    return true;
}

/* One pass in ascending order: branches forward are followed at once. */
static bool spread(struct verify_code *code, const struct verify_code_section *section, size_t begin,
                   size_t end, bool *changed)
{
    struct verify_instruction instruction;
    *changed = false;
    for (size_t at = begin; at < end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction))
            return false;
        if (!verify_bit(section->reached, at))
            continue;
        if (instruction.flow != FLOW_JUMP && instruction.flow != FLOW_STOP)
            *changed |= reach(section, (int64_t)at + instruction.nbytes, begin, end);
        if (instruction.has_target && instruction.flow != FLOW_CALL)
            *changed |= reach(section, (int64_t)at + instruction.target, begin, end);
    }
    return true;
}

/* From here to the end every instruction is run into, or is fill, and the last of them leaves. No text and no
 * table of RVAs ends so, and other data does by chance only. */
static bool ends_as_code(struct verify_code *code, const struct verify_code_section *section, size_t at,
                         size_t end)
{
    struct verify_instruction instruction;
    bool leaves = false;
    for (; at < end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction))
            return false;
        bool is_fill = section->bytes.bytes[at] == 0xCC || section->bytes.bytes[at] == 0x90;
        if (is_fill && leaves)
            continue;
        if (!verify_bit(section->reached, at))
            return false;
        leaves = !is_fill && (instruction.flow == FLOW_JUMP || instruction.flow == FLOW_STOP);
    }
    return leaves;
}

bool verify_unlikely_is_reached(struct verify_code *code, const struct verify_code_section *section,
                                size_t begin, size_t end)
{
    struct verify_instruction instruction;
    bool changed = true;
    int64_t farthest = (int64_t)begin; /* that a branch before leads to */
    verify_set_bit(section->reached, begin);
    for (unsigned pass = 0; changed; pass++)
        if (pass == PASS_MAX_COUNT || !spread(code, section, begin, end, &changed))
            return false;
    for (size_t at = begin; at < end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction))
            return false;
        if (instruction.is_unlikely && !verify_bit(section->reached, at))
            return false;
        if (instruction.is_unlikely && farthest <= (int64_t)at)
            return ends_as_code(code, section, at, end);
        int64_t target = (int64_t)at + instruction.target;
        bool is_inside = instruction.has_target && instruction.flow != FLOW_CALL && target < (int64_t)end;
        if (is_inside && verify_bit(section->reached, at) && target > farthest)
            farthest = target;
    }
    return true;
}
