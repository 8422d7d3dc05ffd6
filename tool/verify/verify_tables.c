/* verify_tables.c - collects the loader's tables.
 * Takes: an image.  Gives: struct verify_tables.  Must not: walk more entries than the file has bytes.
 * Source: PE format; the load sequence: the IAT directory is opened for writing by itself, everything else
 * that the loader writes has to be writable when it does. */
#include "verify/verify_tables_internal.h"

#include <stdlib.h>

bool collect_range(struct table_collector *collector, unsigned kinds, uint64_t rva, uint64_t nbytes,
                   const char *what)
{
    if (nbytes == 0 || rva > UINT32_MAX)
        return true;
    if ((kinds & RANGE_TYPED) &&
        !verify_range_add(collector->arena, &collector->tables->typed, rva, nbytes, what))
        return false;
    if ((kinds & RANGE_IMPORT) &&
        !verify_range_add(collector->arena, &collector->tables->imports, rva, nbytes, what))
        return false;
    return !(kinds & RANGE_WRITTEN) ||
           verify_range_add(collector->arena, &collector->tables->written, rva, nbytes, what);
}

bool collect_problem(struct table_collector *collector, uint64_t rva, const char *problem)
{
    if (!collector->tables->problem) {
        collector->tables->problem = problem;
        collector->tables->problem_rva = rva > UINT32_MAX ? UINT32_MAX : (uint32_t)rva;
    }
    return true;
}

struct verify_directory collect_directory(const struct table_collector *collector, uint32_t index)
{
    const struct verify_image *image = collector->image;
    return index < image->directory_count ? image->directories[index] : (struct verify_directory){0, 0};
}

static bool collect_directories(struct table_collector *collector)
{
    for (uint32_t i = 0; i < collector->image->directory_count; i++) {
        struct verify_directory directory = collector->image->directories[i];
        unsigned kinds = i == DIR_IAT ? RANGE_TYPED | RANGE_WRITTEN : RANGE_TYPED;
        /* Loaders walk imports to their last descriptor, whatever size the directory has. */
        if (i == DIR_SECURITY || i == DIR_IMPORT)
            continue;
        if (!collect_range(collector, kinds, directory.rva, directory.nbytes,
                           i == DIR_IAT ? "the IAT (data directory 12)" : "a data directory"))
            return false;
    }
    return true;
}

/* The loader stores the thread's slot number where the TLS directory says. */
static bool collect_tls(struct table_collector *collector)
{
    const struct verify_image *image = collector->image;
    uint32_t rva = collect_directory(collector, DIR_TLS).rva;
    uint64_t index_va = 0;
    if (rva == 0)
        return true;
    unsigned at = image->is_64 ? TLS_INDEX_64 : TLS_INDEX_32;
    if (!verify_read_at(image, (uint64_t)rva + at, image->is_64 ? 8 : 4, &index_va))
        return collect_problem(collector, rva, "the TLS directory cannot be read");
    return index_va == 0 ||
           collect_range(collector, RANGE_WRITTEN, index_va - image->base_va, 4, "the TLS index");
}

static int compare_ranges(const void *left, const void *right)
{
    const struct verify_range *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->end_rva < b->end_rva ? -1 : a->end_rva > b->end_rva;
}

bool verify_range_add(struct arena *arena, struct verify_range_list *list, uint64_t rva, uint64_t nbytes,
                      const char *what)
{
    struct verify_range *items =
        arena_grow(arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *list->items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = (struct verify_range){rva, rva + nbytes, what};
    return true;
}

void verify_ranges_sort(struct verify_range *items, size_t count)
{
    if (count > 1)
        qsort(items, count, sizeof *items, compare_ranges);
}

void verify_ranges_merge(struct verify_range_list *list)
{
    if (list->count == 0)
        return;
    verify_ranges_sort(list->items, list->count);
    size_t kept = 0;
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i].rva <= list->items[kept].end_rva) {
            if (list->items[i].end_rva > list->items[kept].end_rva)
                list->items[kept].end_rva = list->items[i].end_rva;
        } else {
            list->items[++kept] = list->items[i];
        }
    }
    list->count = kept + 1;
}

bool verify_tables_read(const struct verify_image *image, struct arena *arena, struct verify_tables *tables)
{
    *tables = (struct verify_tables){0};
    struct table_collector collector = {image, arena, tables, image->file.nbytes, image->file.nbytes};
    if (!collect_directories(&collector) || !collect_imports(&collector) ||
        !collect_delay_imports(&collector) || !collect_load_config(&collector) || !collect_tls(&collector))
        return false;
    verify_ranges_merge(&tables->typed);
    verify_ranges_merge(&tables->imports);
    tables->step_count =
        2 * (uint64_t)image->file.nbytes - collector.budget_count - collector.names_budget_count;
    return true;
}

const struct verify_range *verify_range_at(const struct verify_range_list *list, uint64_t rva,
                                           uint64_t end_rva)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].rva < end_rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && list->items[low - 1].end_rva > rva ? &list->items[low - 1] : NULL;
}

bool verify_is_typed(const struct verify_tables *tables, uint64_t rva, uint64_t end_rva)
{
    return verify_range_at(&tables->typed, rva, end_rva) != NULL;
}

const struct verify_range *verify_written_in(const struct verify_tables *tables, uint64_t rva,
                                             uint64_t end_rva)
{
    for (size_t i = 0; i < tables->written.count; i++)
        if (tables->written.items[i].rva < end_rva && tables->written.items[i].end_rva > rva)
            return &tables->written.items[i];
    return NULL;
}
