/* verify_tables.h - what the loader writes, and which RVAs hold typed tables.
 * Takes: an image.  Gives: two lists of RVA ranges.
 * Must not: judge; a table that cannot be read is said to be so, never passed over. */
#ifndef HVCIFIX_VERIFY_VERIFY_TABLES_H
#define HVCIFIX_VERIFY_VERIFY_TABLES_H

#include "verify/verify_image.h"

struct verify_range {
    uint64_t rva, end_rva;
    const char *what; /* e.g. "the IAT (data directory 12)"; static */
};

struct verify_range_list {
    struct verify_range *items;
    size_t count, capacity;
};

struct verify_tables {
    struct verify_range_list
        written; /* by the loader or its helpers, at or after load; in order of discovery */
    struct verify_range_list typed; /* directories and thunk arrays: not code; sorted and merged */
    /* What the loader reads as import tables, each array with a name behind every entry: descriptors, lookup
     * tables, slots, and names. No byte of it is an instruction's. Sorted and merged. */
    struct verify_range_list imports;
    const char *problem; /* a table that cannot be read; NULL when all could */
    uint32_t problem_rva;
    uint64_t step_count;
};

/* Collects both lists. False only when memory ran out. */
bool verify_tables_read(const struct verify_image *image, struct arena *arena, struct verify_tables *tables);

/* Appends [rva, rva + nbytes); `what` is borrowed. False when memory ran out. */
bool verify_range_add(struct arena *arena, struct verify_range_list *list, uint64_t rva, uint64_t nbytes,
                      const char *what);

/* By begin, then by end. */
void verify_ranges_sort(struct verify_range *items, size_t count);

/* Sorts, and joins what overlaps or touches. */
void verify_ranges_merge(struct verify_range_list *list);

/* A range that overlaps [rva, end_rva), of a list that ascends without overlaps; or NULL. */
const struct verify_range *verify_range_at(const struct verify_range_list *list, uint64_t rva,
                                           uint64_t end_rva);

/* True when [rva, end_rva) overlaps a typed table. */
bool verify_is_typed(const struct verify_tables *tables, uint64_t rva, uint64_t end_rva);

/* The import table that overlaps [rva, end_rva), of `imports`, or NULL. */
static inline const struct verify_range *verify_import_at(const struct verify_tables *tables, uint64_t rva,
                                                          uint64_t end_rva)
{
    const struct verify_range_list *imports = &tables->imports; /* merged, so the last one ends last */
    if (imports->count == 0 || end_rva <= imports->items[0].rva ||
        rva >= imports->items[imports->count - 1].end_rva)
        return NULL;
    return verify_range_at(imports, rva, end_rva);
}

/* The first loader-written range that overlaps [rva, end_rva), or NULL. */
const struct verify_range *verify_written_in(const struct verify_tables *tables, uint64_t rva,
                                             uint64_t end_rva);

#endif
