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

static int compare_ranges(const void *left, const void *right)
{
    const struct verify_range *a = left, *b = right;
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

/* From `at` to the first return or jump that no branch leads past; 0 when the bytes are not such a run. A
 * jump forward that is not conditional may lead to another function: behind padding it does. */
static size_t run_end(struct gap_search *search, const struct verify_code_section *section, size_t at,
                      size_t end)
{
    struct verify_instruction instruction;
    size_t farthest = at, farthest_jump = at;
    bool ends = false;
    while (at < end) {
        if (ends && farthest < at && section->bytes.bytes[at] == 0xCC)
            return at;
        if (!verify_code_decode(search->code, section, at, &instruction) || instruction.is_unlikely ||
            instruction.nbytes > end - at || section->bytes.bytes[at] == 0xCC)
            return 0;
        int64_t target = (int64_t)at + instruction.target;
        bool is_inside = instruction.has_target && target < (int64_t)end;
        if (is_inside && instruction.flow == FLOW_BRANCH && target > (int64_t)farthest)
            farthest = (size_t)target;
        if (is_inside && instruction.flow == FLOW_JUMP && target > (int64_t)farthest_jump &&
            target - (int64_t)at < NEAR_JUMP_NBYTES)
            farthest_jump = (size_t)target;
        at += instruction.nbytes;
        ends = instruction.flow == FLOW_STOP || instruction.flow == FLOW_JUMP;
        if (ends && farthest < at && farthest_jump < at)
            return at;
    }
    return 0;
}

/* Each start is tried once and each byte belongs to one run: linear. */
static bool add_gap(struct gap_search *search, struct gap_list *list,
                    const struct verify_code_section *section, uint64_t rva, uint64_t end_rva)
{
    size_t first = rva - section->rva, end = end_rva - section->rva, at = first;
    const uint8_t *bytes = section->bytes.bytes;
    uint64_t spent_nbytes = 0;
    while (at < end && (bytes[at] == 0xCC || bytes[at] == 0x90))
        at++;
    first = at;
    size_t whole_end = end;
    while (whole_end > at &&
           (bytes[whole_end - 1] == 0xCC || (end == section->bytes.nbytes && bytes[whole_end - 1] == 0)))
        whole_end--;
    struct verify_function whole = {(uint32_t)(section->rva + at), (uint32_t)(section->rva + whole_end),
                                    FUNCTION_UNSEEN, true};
    if (whole_end <= at)
        return true;
    if (verify_function_is_clean(search->code, &whole))
        return append_gap(search, list, whole);
    for (size_t i = at; i < whole_end; i++) /* of a try that failed */
        section->starts[i / 8] = (uint8_t)(section->starts[i / 8] & ~(1u << (i % 8)));
    while (at < end && spent_nbytes < 64 * (uint64_t)(end_rva - rva)) {
        size_t next = is_start(section, at, first) ? run_end(search, section, at, end) : 0;
        struct verify_function gap = {(uint32_t)(section->rva + at), (uint32_t)(section->rva + next),
                                      FUNCTION_UNSEEN, true};
        spent_nbytes += 64;
        if (next != 0 && verify_function_is_clean(search->code, &gap)) {
            if (!append_gap(search, list, gap))
                return false;
            at = next;
            first = at;
        } else {
            for (size_t i = at; next != 0 && i < next; i++)
                section->starts[i / 8] = (uint8_t)(section->starts[i / 8] & ~(1u << (i % 8)));
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
    if (taken_count > 1)
        qsort(taken, taken_count, sizeof *taken, compare_ranges);
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
