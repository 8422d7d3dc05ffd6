/* integrity.c - what the detectors share, and their order.
 * Takes: a search.  Gives: their places, sorted.  Must not: judge. */
#include "calls/integrity.h"

#include "calls/calls_internal.h"

#include <stdlib.h>

bool integrity_add(struct call_search *search, struct integrity_site site)
{
    struct integrity_list *list = &search->sites->integrity;
    struct integrity_site *items =
        arena_grow(search->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    site.function_name = function_name_of(&search->names, site.function_rva, site.rva, search->arena);
    items[list->count++] = site;
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct integrity_site *a = left, *b = right;
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    if (a->verdict != b->verdict) /* of code that two functions share the stronger verdict stands */
        return a->verdict < b->verdict ? -1 : 1;
    return a->function_rva < b->function_rva ? -1 : a->function_rva > b->function_rva;
}

bool integrity_find(struct call_search *search)
{
    struct integrity_list *list = &search->sites->integrity;
    if (!integrity_write_protect(search) || !integrity_code_mapping(search) || !integrity_file_code(search) ||
        !integrity_called_pool(search))
        return false;
    size_t kept = 0;
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, compare);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->items[kept - 1].code != list->items[i].code ||
            list->items[kept - 1].rva != list->items[i].rva)
            list->items[kept++] = list->items[i];
    list->count = kept;
    return !search->arena->exhausted;
}
