/* verify_gaps.c - finds clean code between functions.
 * Takes: struct verify_code.  Gives: more functions in its code.  Must not: join code across a table. */
#include "verify/verify_gaps.h"

#include <stdlib.h>

enum { START_ALIGN_NBYTES = 16, NEAR_JUMP_NBYTES = 0x200 };

struct gap_search {
    struct verify_code *code;
    struct arena *arena;
};

struct gap_list {
    struct verify_function *items;
    size_t count, capacity;
};

static int compare_functions(const void *left, const void *right)
{
    const struct verify_function *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static bool append_gap(struct gap_search *search, struct gap_list *list, struct verify_function gap)
{
    struct verify_function *grown = arena_grow(search->arena, list->items, list->count, &list->capacity,
                                               list->count + 1, sizeof *list->items);
    if (!grown)
        return false;
    list->items = grown;
    list->items[list->count++] = gap;
    return true;
}

/* A place where a leaf function may begin. */
static bool is_start(const struct verify_code_section *section, size_t at, size_t first)
{
    const uint8_t *bytes = section->bytes.bytes;
    if (at == first || verify_bit(section->called, at))
        return true;
    uint8_t before = bytes[at - 1];
    /* Import thunks stand side by side, and not all of them are called. */
    bool is_thunk = (section->rva + at) % 8 == 0 && section->bytes.nbytes - at >= 6 && bytes[at] == 0xFF &&
                    bytes[at + 1] == 0x25;
    if (is_thunk)
        return true;
    bool is_behind_fill = before == 0xCC || before == 0x90 || before == 0xC3 || before == 0;
    /* Room for a patch, or an odd number of bytes of fill, lies in front of a function that is named. */
    return is_behind_fill &&
           ((section->rva + at) % START_ALIGN_NBYTES == 0 || verify_bit(section->pointed, at));
}

/* Direct branches of one run, as offsets in the section. */
enum { MOST_TARGETS = 128 };

struct run {
    size_t begin, end;   /* end 0: the bytes are no run */
    size_t *targets;     /* room for MOST_TARGETS */
    size_t target_count; /* more than that: not all of them are kept */
};

static void unmark(const struct verify_code_section *section, size_t at, size_t end)
{
    size_t i = at;
    for (; i < end && i % 8 != 0; i++)
        section->starts[i / 8] = (uint8_t)(section->starts[i / 8] & ~(1u << (i % 8)));
    if (i < end) {
        memset(section->starts + i / 8, 0, (end - i) / 8);
        i += (end - i) / 8 * 8;
    }
    for (; i < end; i++)
        section->starts[i / 8] = (uint8_t)(section->starts[i / 8] & ~(1u << (i % 8)));
}

static void add_target(struct run *run, int64_t target)
{
    if (target < (int64_t)run->begin)
        return;
    if (run->target_count < MOST_TARGETS)
        run->targets[run->target_count] = (size_t)target;
    run->target_count++;
}

/* From `begin` to the first return or jump that no branch leads past. A jump forward that is not conditional
 * may lead to another function: behind padding it does. Marks the starts of its instructions. */
static void find_run(struct gap_search *search, const struct verify_code_section *section, size_t end,
                     struct run *run)
{
    struct verify_instruction instruction;
    size_t at = run->begin, farthest = at, farthest_jump = at;
    bool ends = false;
    run->end = run->target_count = 0;
    while (at < end && run->end == 0) {
        if (ends && farthest < at && section->bytes.bytes[at] == 0xCC) {
            run->end = at;
            return;
        }
        if (!verify_code_decode(search->code, section, at, &instruction) || instruction.is_unlikely ||
            instruction.nbytes > end - at || section->bytes.bytes[at] == 0xCC)
            break;
        verify_set_bit(section->starts, at);
        int64_t target = (int64_t)at + instruction.target;
        bool is_inside = instruction.has_target && target < (int64_t)end;
        if (is_inside)
            add_target(run, target);
        if (is_inside && instruction.flow == FLOW_BRANCH && target > (int64_t)farthest)
            farthest = (size_t)target;
        if (is_inside && instruction.flow == FLOW_JUMP && target > (int64_t)farthest_jump &&
            target - (int64_t)at < NEAR_JUMP_NBYTES)
            farthest_jump = (size_t)target;
        at += instruction.nbytes;
        ends = instruction.flow == FLOW_STOP || instruction.flow == FLOW_JUMP;
        if (ends && farthest < at && farthest_jump < at)
            run->end = at;
    }
    if (run->end == 0)
        unmark(section, run->begin, at);
}

/* What verify_function_is_clean() asks of a run besides: its branches inside it meet starts. */
static bool is_clean_run(struct gap_search *search, const struct verify_code_section *section,
                         const struct run *run, struct verify_function *gap)
{
    *gap = (struct verify_function){(uint32_t)(section->rva + run->begin),
                                    (uint32_t)(section->rva + run->end),
                                    FUNCTION_UNSEEN,
                                    true,
                                    0,
                                    0};
    if (run->end == 0)
        return false;
    if (run->target_count > MOST_TARGETS)
        return verify_function_is_clean(search->code, gap);
    for (size_t i = 0; i < run->target_count; i++)
        if (run->targets[i] < run->end && !verify_bit(section->starts, run->targets[i]))
            return false;
    gap->state = FUNCTION_CLEAN;
    return true;
}

/* Each start is tried once and each byte belongs to one run: linear. */
static bool add_gap(struct gap_search *search, struct gap_list *list,
                    const struct verify_code_section *section, uint64_t rva, uint64_t end_rva)
{
    size_t first = rva - section->rva, end = end_rva - section->rva, at = first;
    const uint8_t *bytes = section->bytes.bytes;
    uint64_t spent_nbytes = 0;
    size_t targets[MOST_TARGETS];
    while (at < end && (bytes[at] == 0xCC || bytes[at] == 0x90))
        at++;
    first = at;
    size_t whole_end = end;
    while (whole_end > at &&
           (bytes[whole_end - 1] == 0xCC || (end == section->bytes.nbytes && bytes[whole_end - 1] == 0)))
        whole_end--;
    struct verify_function whole = {
        (uint32_t)(section->rva + at), (uint32_t)(section->rva + whole_end), FUNCTION_UNSEEN, true, 0, 0};
    if (whole_end <= at)
        return true;
    if (verify_function_is_clean(search->code, &whole))
        return append_gap(search, list, whole);
    unmark(section, at, whole_end); /* of a try that failed */
    while (at < end && spent_nbytes < 64 * (uint64_t)(end_rva - rva)) {
        struct run run = {.begin = at, .targets = targets};
        struct verify_function gap;
        spent_nbytes += 64;
        if (is_start(section, at, first))
            find_run(search, section, end, &run);
        if (is_clean_run(search, section, &run, &gap)) {
            if (!append_gap(search, list, gap))
                return false;
            at = run.end;
            first = at;
        } else {
            unmark(section, at, run.end);
            at++;
        }
        while (at < end && (bytes[at] == 0xCC || bytes[at] == 0x90))
            first = ++at;
    }
    return true;
}

static bool mark_section(struct gap_search *search, const struct verify_range *taken, size_t taken_count,
                         const struct verify_code_section *section, struct gap_list *list)
{
    uint64_t rva = section->rva, end_rva = (uint64_t)section->rva + section->bytes.nbytes;
    for (size_t i = 0; i < taken_count && rva < end_rva; i++) {
        if (taken[i].end_rva <= rva)
            continue;
        if (taken[i].rva >= end_rva)
            break;
        if (taken[i].rva > rva && !add_gap(search, list, section, rva, taken[i].rva))
            return false;
        rva = taken[i].end_rva;
    }
    return rva >= end_rva || add_gap(search, list, section, rva, end_rva);
}

bool verify_gaps_mark(struct verify_code *code, const struct verify_range_list *inert, struct arena *arena)
{
    const struct verify_range_list *typed = &code->tables->typed;
    struct gap_search search = {code, arena};
    struct gap_list list = {0};
    size_t taken_count = code->function_count + (inert ? inert->count : 0) + typed->count, k = 0;
    struct verify_range *taken = arena_array(arena, taken_count, sizeof *taken);
    if (!taken)
        return false;
    for (size_t i = 0; i < code->function_count; i++)
        taken[k++] = (struct verify_range){code->functions[i].rva, code->functions[i].end_rva, "a function"};
    for (size_t i = 0; inert && i < inert->count; i++)
        taken[k++] = inert->items[i];
    for (size_t i = 0; i < typed->count; i++)
        taken[k++] = typed->items[i];
    verify_ranges_sort(taken, taken_count);
    for (uint32_t i = 0; i < code->section_count; i++)
        if (!mark_section(&search, taken, taken_count, &code->sections[i], &list))
            return false;
    if (list.count == 0)
        return true;
    struct verify_function *all = arena_array(arena, code->function_count + list.count, sizeof *all);
    if (!all)
        return false;
    if (code->function_count != 0)
        memcpy(all, code->functions, code->function_count * sizeof *all);
    memcpy(all + code->function_count, list.items, list.count * sizeof *all);
    code->function_count += list.count;
    code->functions = all;
    qsort(all, code->function_count, sizeof *all, compare_functions);
    return true;
}
