/* verify_functions.c - linear decoding of the ranges that x64 unwind data bounds.
 * Takes: one function.  Gives: clean or not, and its instruction starts.  Must not: decode a function twice.
 */
#include "verify/verify_function_flow.h"
#include "verify/verify_switch.h"

struct verify_function *verify_function_at(struct verify_code *code, uint32_t rva)
{
    size_t low = 0, high = code->function_count;
    if (code->recent_function < high && rva >= code->functions[code->recent_function].rva &&
        rva < code->functions[code->recent_function].end_rva)
        return &code->functions[code->recent_function];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->functions[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || rva >= code->functions[low - 1].end_rva)
        return NULL;
    code->recent_function = low - 1;
    return &code->functions[low - 1];
}

/* Where direct branches of one function lead, as offsets in its section: those that lead into the function.
 */
enum { MOST_TARGETS = 256 };

struct inner_targets {
    size_t items[MOST_TARGETS];
    size_t count; /* more than MOST_TARGETS: not all of them are kept */
};

static void add_target(struct inner_targets *targets, const struct verify_code_section *section, size_t at,
                       const struct verify_function *function, const struct verify_instruction *instruction)
{
    int64_t target = (int64_t)at + instruction->target;
    if (!instruction->has_target || target < (int64_t)(function->rva - section->rva) ||
        target >= (int64_t)(function->end_rva - section->rva))
        return;
    if (targets->count < MOST_TARGETS)
        targets->items[targets->count] = (size_t)target;
    targets->count++;
}

/* Padding in front of an aligned table. */
static bool is_padding(const struct verify_full *full)
{
    return full->decoded.meta.category == ZYDIS_CATEGORY_NOP ||
           full->decoded.meta.category == ZYDIS_CATEGORY_WIDENOP;
}

/* Marks the instruction starts up to the function's end when no instruction takes the image's first byte into
 * a register (*takes_base): then no jump through a table of RVAs is in it. Else, and where the bytes are not
 * one instruction after the other, false. */
static bool mark_plain_starts(struct verify_code *code, const struct verify_code_section *section,
                              const struct verify_function *function, struct inner_targets *targets,
                              bool *has_unlikely, bool *takes_base)
{
    struct verify_instruction instruction;
    for (uint32_t rva = function->rva; rva < function->end_rva; rva += instruction.nbytes) {
        size_t at = rva - section->rva;
        if (!verify_code_decode(code, section, at, &instruction) ||
            instruction.nbytes > function->end_rva - rva || (instruction.is_unlikely && function->is_gap))
            return false;
        if (instruction.is_rip_relative && !function->is_gap &&
            rva + instruction.nbytes + load_u32(section->bytes.bytes + at + instruction.disp_at) == 0) {
            *takes_base = true;
            return false;
        }
        *has_unlikely = *has_unlikely || instruction.is_unlikely;
        verify_set_bit(section->starts, at);
        add_target(targets, section, at, function, &instruction);
    }
    return true;
}

/* The same up to the tables that the function's own code names behind its last instruction; *end is where the
 * instructions end. False when the bytes are not one instruction after the other. */
static bool mark_starts(struct verify_code *code, const struct verify_code_section *section,
                        const struct verify_function *function, struct verify_switches *switches,
                        struct inner_targets *targets, uint32_t *end, bool *has_unlikely)
{
    struct verify_instruction instruction;
    bool ends = false;
    *has_unlikely = false;
    *end = function->end_rva;
    for (uint32_t rva = function->rva; rva < *end; rva += instruction.nbytes) {
        struct verify_full full;
        size_t at = rva - section->rva;
        if (!verify_code_decode(code, section, at, &instruction) || instruction.nbytes > *end - rva)
            return false;
        *has_unlikely = *has_unlikely || instruction.is_unlikely;
        verify_set_bit(section->starts, at);
        add_target(targets, section, at, function, &instruction);
        if (!verify_decode_full(code, section, at, &full))
            return false;
        size_t switch_count = switches->count;
        verify_switch_step(switches, &full, rva);
        if (switches->count != switch_count)
            *end = verify_switch_lowest(switches, function->rva, function->end_rva);
        if (*end < rva + instruction.nbytes)
            return false;
        if (!is_padding(&full))
            ends = !verify_falls_through(&full) || instruction.flow == FLOW_CALL;
    }
    return *end == function->end_rva || ends;
}

static bool branches_meet_starts(struct verify_code *code, const struct verify_code_section *section,
                                 const struct inner_targets *targets, size_t begin, size_t code_end,
                                 size_t end)
{
    struct verify_instruction instruction;
    bool has_all = targets->count <= MOST_TARGETS;
    for (size_t i = 0; has_all && i < targets->count; i++)
        if (!verify_bit(section->starts, targets->items[i]))
            return false;
    if (has_all)
        return true;
    for (size_t at = begin; at < code_end; at += instruction.nbytes) {
        if (!verify_code_decode(code, section, at, &instruction))
            return false;
        int64_t target = (int64_t)at + instruction.target;
        if (instruction.has_target && target >= (int64_t)begin && target < (int64_t)end &&
            !verify_bit(section->starts, (size_t)target))
            return false;
    }
    return true;
}

static enum verify_function_state look_at(struct verify_code *code, const struct verify_function *function)
{
    const struct verify_code_section *section = verify_code_at(code, function->rva);
    struct verify_switches switches;
    struct inner_targets targets;
    uint32_t end_rva = function->end_rva;
    bool has_unlikely = false, takes_base = false;
    targets.count = 0;
    bool is_plain = mark_plain_starts(code, section, function, &targets, &has_unlikely, &takes_base);
    if (!is_plain && !takes_base)
        return FUNCTION_UNCLEAN;
    if (takes_base) {
        switches = (struct verify_switches){0};
        targets.count = 0;
    }
    if (takes_base &&
        (!mark_starts(code, section, function, &switches, &targets, &end_rva, &has_unlikely) ||
         (end_rva < function->end_rva && !verify_switch_tail(section, &switches, function->rva, end_rva,
                                                             function->end_rva, &code->step_count))))
        return FUNCTION_UNCLEAN;
    size_t begin = function->rva - section->rva, code_end = end_rva - section->rva;
    if (!branches_meet_starts(code, section, &targets, begin, code_end, function->end_rva - section->rva))
        return FUNCTION_TANGLED;
    if (has_unlikely && !verify_unlikely_is_reached(code, section, begin, code_end))
        return FUNCTION_UNCLEAN;
    return FUNCTION_CLEAN;
}

bool verify_function_is_clean(struct verify_code *code, struct verify_function *function)
{
    if (function->state == FUNCTION_UNSEEN)
        function->state = (uint8_t)look_at(code, function);
    return function->state == FUNCTION_CLEAN;
}

bool verify_is_instruction(struct verify_code *code, uint64_t rva)
{
    struct verify_function *function =
        verify_code_at(code, rva) ? verify_function_at(code, (uint32_t)rva) : NULL;
    return function && verify_function_is_clean(code, function) && verify_begins_instruction(code, rva);
}
