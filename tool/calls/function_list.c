/* function_list.c - see function_list.h. */
#include "calls/function_list.h"

#include <stdlib.h>

static int compare(const void *left, const void *right)
{
    const struct function_begin *a = left, *b = right;
    if (a->begin_rva != b->begin_rva)
        return a->begin_rva < b->begin_rva ? -1 : 1;
    return a->end_rva > b->end_rva ? -1 : a->end_rva < b->end_rva; /* the one with bounds first */
}

/* The number of functions that begin at or before rva. */
static size_t count_until(const struct function_list *list, uint32_t rva)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].begin_rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct function_begin *function_list_at(const struct function_list *list, uint32_t begin_rva)
{
    size_t count = count_until(list, begin_rva);
    return count != 0 && list->items[count - 1].begin_rva == begin_rva ? &list->items[count - 1] : NULL;
}

const struct function_begin *function_list_holding(const struct function_list *list,
                                                   const struct code_map *map, uint32_t rva)
{
    size_t count = count_until(list, rva);
    const struct code_section *section = code_section_at(map, rva);
    if (count == 0 || !section || list->items[count - 1].begin_rva < section->rva)
        return NULL;
    return &list->items[count - 1];
}

uint32_t function_list_limit(const struct function_list *list, const struct code_map *map,
                             const struct function_begin *function)
{
    const struct code_section *section = code_section_at(map, function->begin_rva);
    uint32_t end = section ? section->rva + section->nbytes : function->begin_rva;
    if (function + 1 < list->items + list->count && function[1].begin_rva < end)
        end = function[1].begin_rva;
    return end;
}

static void sort_unique(struct function_list *list)
{
    size_t kept = 0;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->items[kept - 1].begin_rva != list->items[i].begin_rva)
            list->items[kept++] = list->items[i];
    list->count = kept;
}

/* Does the jump leave the function that it stands in, for the middle of nowhere? */
static bool is_tail_target(const struct function_list *list, const struct code_map *map,
                           const struct ref *ref)
{
    if (ref->source != SOURCE_CODE || ref->access != ACCESS_JUMP || ref->encoding != REF_PCREL ||
        ref->state != REF_RESOLVED || code_class_at(map, ref->target) != BYTE_INSTRUCTION)
        return false;
    const struct function_begin *from = function_list_holding(list, map, ref->site_rva);
    const struct function_begin *to = function_list_holding(list, map, ref->target);
    if (!from || !to || from == to || to->begin_rva == ref->target)
        return false;
    /* Inside the bounds of a function it is a place in it. */
    return to->end_rva <= to->begin_rva || ref->target >= to->end_rva;
}

bool function_list_make(const struct image *image, const struct refset *refs, const struct code_map *map,
                        struct arena *arena, struct function_list *list)
{
    *list = (struct function_list){.count = 0};
    size_t capacity = 0, extra_count = 0, extra_capacity = 0;
    list->items = arena_grow(arena, NULL, 0, &capacity, map->function_count + 1, sizeof *list->items);
    if (!list->items || !function_parts_read(image, arena, &list->parts))
        return false;
    for (size_t i = 0; i < map->function_count; i++)
        list->items[list->count++] =
            (struct function_begin){map->functions[i].begin_rva, map->functions[i].end_rva};
    sort_unique(list);
    struct function_begin *extra = NULL;
    for (size_t i = 0; i < refs->ref_count; i++) {
        if (!is_tail_target(list, map, &refs->refs[i]))
            continue;
        struct function_begin *grown =
            arena_grow(arena, extra, extra_count, &extra_capacity, extra_count + 1, sizeof *grown);
        if (!grown)
            return false;
        extra = grown;
        extra[extra_count++] = (struct function_begin){refs->refs[i].target, refs->refs[i].target};
    }
    if (extra_count == 0)
        return true;
    struct function_begin *items =
        arena_grow(arena, list->items, list->count, &capacity, list->count + extra_count, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    for (size_t i = 0; i < extra_count; i++)
        items[list->count++] = extra[i];
    sort_unique(list);
    return true;
}
