/* folder_list.c - folder_list.h.
 * Takes: entries.  Gives: a sorted list.  Must not: touch the file system. */
#include "io/folder_list.h"

#include <stdlib.h>

bool folder_list_add(struct arena *arena, struct folder_list *list, const struct folder_entry *entry)
{
    struct folder_entry *items =
        arena_grow(arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = *entry;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct folder_entry *)a)->name, ((const struct folder_entry *)b)->name);
}

void folder_list_sort(struct folder_list *list)
{
    if (list->count > 1)
        qsort(list->items, list->count, sizeof *list->items, by_name);
}
