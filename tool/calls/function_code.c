/* function_code.c - finding the instructions of one function and cutting them into blocks.
 * Takes: image, code map, the function's first RVA.  Gives: struct function_code.  Must not: decode bytes
 * that the code map does not hold for instructions. */
#include "calls/function_code.h"

#include <stdlib.h>

/* What counts as inside, for functions without unwind data. */
enum { MOST_NBYTES_WITHOUT_BOUNDS = 1 << 20 };

struct finder {
    const struct image *image;
    const struct code_map *map;
    const struct function_list *list;
    struct operation_reader *reader;
    struct arena *arena;
    uint32_t begin_rva, end_rva; /* inside for certain, when end_rva is more than begin_rva */
    uint32_t limit_rva;          /* where the next function begins */
    struct operation *operations;
    size_t count, capacity;
    uint32_t *slots; /* RVAs of instructions that were found: a hash table of a power of two; 0: free */
    size_t slot_count, slot_used;
    uint32_t *work; /* RVAs to go on from */
    size_t work_count, work_capacity;
    uint32_t *leaders; /* where blocks begin */
    size_t leader_count, leader_capacity;
    uint32_t *orphans;
    size_t orphan_count, orphan_capacity;
    bool is_too_large, has_unknown_bytes;
};

static bool append(struct arena *arena, uint32_t **items, size_t *count, size_t *capacity, uint32_t item)
{
    uint32_t *grown = arena_grow(arena, *items, *count, capacity, *count + 1, sizeof *grown);
    if (!grown)
        return false;
    *items = grown;
    grown[(*count)++] = item;
    return true;
}

static size_t slot_of(const struct finder *finder, uint32_t rva)
{
    uint32_t hash = rva * UINT32_C(2654435761);
    size_t at = hash & (finder->slot_count - 1);
    while (finder->slots[at] && finder->slots[at] != rva)
        at = (at + 1) & (finder->slot_count - 1);
    return at;
}

static bool is_found(const struct finder *finder, uint32_t rva)
{
    return finder->slot_count != 0 && finder->slots[slot_of(finder, rva)] == rva;
}

static bool note_found(struct finder *finder, uint32_t rva)
{
    if (finder->slot_used * 2 >= finder->slot_count) {
        uint32_t *old = finder->slots;
        size_t old_count = finder->slot_count;
        finder->slot_count = old_count ? old_count * 2 : 256;
        finder->slots = arena_array(finder->arena, finder->slot_count, sizeof *finder->slots);
        if (!finder->slots)
            return false;
        for (size_t i = 0; i < old_count; i++)
            if (old[i])
                finder->slots[slot_of(finder, old[i])] = old[i];
    }
    finder->slots[slot_of(finder, rva)] = rva;
    finder->slot_used++;
    return true;
}

static bool is_instruction(const struct finder *finder, uint32_t rva)
{
    return code_class_at(finder->map, rva) == BYTE_INSTRUCTION;
}

/* Does a jump to rva leave the function? */
static bool leaves(const struct finder *finder, uint32_t rva)
{
    if (rva == finder->begin_rva || (rva > finder->begin_rva && rva < finder->end_rva))
        return false;
    if (function_parts_owner(&finder->list->parts, rva) == finder->begin_rva)
        return !is_instruction(finder, rva);
    return function_list_at(finder->list, rva) != NULL || !is_instruction(finder, rva);
}

/* Instructions from rva on until execution goes elsewhere or meets what was found before. */
static bool follow(struct finder *finder, uint32_t rva)
{
    while (!is_found(finder, rva) && is_instruction(finder, rva)) {
        if (rva != finder->begin_rva && leaves(finder, rva))
            return true;
        struct span bytes = image_run_at_rva(finder->image, rva);
        struct operation operation;
        if (!operation_read(finder->reader, bytes.bytes, bytes.nbytes, rva, &operation))
            return true;
        if (finder->count == FUNCTION_MOST_OPERATIONS) {
            finder->is_too_large = true;
            return true;
        }
        struct operation *operations = arena_grow(finder->arena, finder->operations, finder->count,
                                                  &finder->capacity, finder->count + 1, sizeof *operations);
        if (!operations || !note_found(finder, rva))
            return false;
        finder->operations = operations;
        operations[finder->count++] = operation;
        rva += operation.nbytes;
        bool goes_on =
            operation.kind != DOES_JUMP && operation.kind != DOES_RETURN && operation.kind != DOES_STOP;
        bool branches = operation.kind == DOES_JUMP || operation.kind == DOES_BRANCH;
        if (branches && operation.has_target && !leaves(finder, operation.target_rva)) {
            if (!append(finder->arena, &finder->work, &finder->work_count, &finder->work_capacity,
                        operation.target_rva) ||
                !append(finder->arena, &finder->leaders, &finder->leader_count, &finder->leader_capacity,
                        operation.target_rva))
                return false;
        }
        if ((branches || !goes_on) &&
            !append(finder->arena, &finder->leaders, &finder->leader_count, &finder->leader_capacity, rva))
            return false;
        if (!goes_on)
            return true;
    }
    return true;
}

static bool follow_all(struct finder *finder)
{
    while (finder->work_count != 0 && !finder->is_too_large)
        if (!follow(finder, finder->work[--finder->work_count]))
            return false;
    return true;
}

/* What lies in the function and was not reached: cases of a switch, handlers. */
static bool follow_orphans(struct finder *finder)
{
    uint32_t end = finder->end_rva > finder->begin_rva ? finder->end_rva : finder->limit_rva;
    if (end - finder->begin_rva > MOST_NBYTES_WITHOUT_BOUNDS)
        end = finder->begin_rva + MOST_NBYTES_WITHOUT_BOUNDS;
    for (uint32_t rva = finder->begin_rva; rva < end && !finder->is_too_large; rva++) {
        finder->has_unknown_bytes |= code_class_at(finder->map, rva) == BYTE_UNKNOWN;
        if (!is_instruction(finder, rva) || is_found(finder, rva) || leaves(finder, rva))
            continue;
        if (!append(finder->arena, &finder->orphans, &finder->orphan_count, &finder->orphan_capacity, rva) ||
            !append(finder->arena, &finder->leaders, &finder->leader_count, &finder->leader_capacity, rva) ||
            !append(finder->arena, &finder->work, &finder->work_count, &finder->work_capacity, rva) ||
            !follow_all(finder))
            return false;
    }
    return true;
}

static int compare_operations(const void *left, const void *right)
{
    const struct operation *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static int compare_rvas(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Most functions are met in order. */
static void sort_operations(struct operation *operations, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (operations[i - 1].rva > operations[i].rva) {
            qsort(operations, count, sizeof *operations, compare_operations);
            return;
        }
    }
}

static bool holds_rva(const uint32_t *sorted, size_t count, uint32_t rva)
{
    return count != 0 && bsearch(&rva, sorted, count, sizeof *sorted, compare_rvas) != NULL;
}

static uint32_t block_at(const struct function_code *code, uint32_t rva)
{
    size_t low = 0, high = code->block_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t at = code->operations[code->blocks[middle].first].rva;
        if (at == rva)
            return (uint32_t)middle;
        if (at < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_BLOCK;
}

static void link_block(const struct finder *finder, struct function_code *code, struct block *block)
{
    const struct operation *last = &code->operations[block->first + block->count - 1];
    uint32_t next_rva = last->rva + last->nbytes;
    bool jumps = last->kind == DOES_JUMP || last->kind == DOES_BRANCH;
    block->successors[0] = block->successors[1] = NO_BLOCK;
    if (last->kind != DOES_JUMP && last->kind != DOES_RETURN && last->kind != DOES_STOP) {
        block->successors[0] = block_at(code, next_rva);
        if (block->successors[0] == NO_BLOCK && function_list_at(finder->list, next_rva)) {
            block->ends_in_tail = true;
            block->tail_rva = next_rva;
        }
    }
    if (jumps && last->has_target) {
        block->successors[1] = block_at(code, last->target_rva);
        if (block->successors[1] == NO_BLOCK) {
            block->ends_in_tail = true;
            block->tail_rva = last->target_rva;
        }
    } else if (last->kind == DOES_JUMP && last->operand_count != 0) {
        /* Through a slot with a fixed address: a tail call; through a register: perhaps a switch. */
        bool is_tail = last->operands[0].kind == OPERAND_MEMORY && last->operands[0].has_place;
        block->ends_in_tail = is_tail;
        block->ends_in_switch = !is_tail;
    }
}

static bool cut(struct finder *finder, struct function_code *code)
{
    sort_operations(finder->operations, finder->count);
    if (finder->leader_count > 1)
        qsort(finder->leaders, finder->leader_count, sizeof *finder->leaders, compare_rvas);
    size_t capacity = 0;
    for (size_t i = 0; i < finder->count; i++) {
        const struct operation *at = &finder->operations[i];
        bool begins = i == 0 || at[-1].rva + at[-1].nbytes != at->rva || at->rva == finder->begin_rva ||
                      holds_rva(finder->leaders, finder->leader_count, at->rva);
        if (!begins) {
            code->blocks[code->block_count - 1].count++;
            continue;
        }
        struct block *blocks = arena_grow(finder->arena, code->blocks, code->block_count, &capacity,
                                          code->block_count + 1, sizeof *blocks);
        if (!blocks)
            return false;
        code->blocks = blocks;
        blocks[code->block_count++] =
            (struct block){.first = (uint32_t)i,
                           .count = 1,
                           .is_entry = at->rva == finder->begin_rva,
                           .is_orphan = holds_rva(finder->orphans, finder->orphan_count, at->rva)};
    }
    code->operations = finder->operations;
    code->operation_count = finder->count;
    for (size_t i = 0; i < code->block_count; i++)
        link_block(finder, code, &code->blocks[i]);
    return true;
}

bool function_code_read(const struct image *image, const struct code_map *map,
                        const struct function_list *list, struct operation_reader *reader, uint32_t begin_rva,
                        struct arena *arena, struct function_code *code)
{
    *code = (struct function_code){.begin_rva = begin_rva};
    const struct function_begin *function = function_list_at(list, begin_rva);
    struct finder finder = {
        .image = image, .map = map, .list = list, .reader = reader, .arena = arena, .begin_rva = begin_rva};
    if (function) {
        finder.end_rva = function->end_rva;
        finder.limit_rva = function_list_limit(list, map, function);
    }
    if (!append(arena, &finder.work, &finder.work_count, &finder.work_capacity, begin_rva) ||
        !follow_all(&finder) || (function && !follow_orphans(&finder)))
        return false;
    code->is_too_large = finder.is_too_large;
    code->has_unknown_bytes = finder.has_unknown_bytes;
    return finder.is_too_large || cut(&finder, code);
}
