/* verify_tables_internal.h - shared by the files that collect loader tables; nobody else includes it.
 * Takes: an image under collection.  Gives: ways to add ranges and to say that a table is damaged.
 * Must not: be part of the verifier's other parts. */
#ifndef HVCIFIX_VERIFY_VERIFY_TABLES_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_TABLES_INTERNAL_H

#include "verify/verify_tables.h"

struct table_collector {
    const struct verify_image *image;
    struct arena *arena;
    struct verify_tables *tables;
    uint64_t
        budget_count; /* table entries that may still be walked: no honest file has more than it has bytes */
    uint64_t names_budget_count; /* characters of names that may still be read */
};

enum range_kind { RANGE_TYPED = 1, RANGE_WRITTEN = 2, RANGE_IMPORT = 4 };

/* Adds [rva, rva + nbytes) to one list or both (kinds or-ed). False when memory ran out. */
bool collect_range(struct table_collector *collector, unsigned kinds, uint64_t rva, uint64_t nbytes,
                   const char *what);

/* Notes the first damaged table. Always true: collecting goes on. */
bool collect_problem(struct table_collector *collector, uint64_t rva, const char *problem);

/* Each returns false only when memory ran out. */
bool collect_imports(struct table_collector *collector);
/* A descriptor at rva, and the name of its module, when there is one; the descriptor that ends the list, when
 * it is all zeros; nothing otherwise. */
bool collect_import_descriptor(struct table_collector *collector, uint64_t rva, const uint8_t *descriptor);
/* An array that names imports, with the array of slots that is as long: both, and the names, when each entry
 * is an ordinal or leads to a name; nothing otherwise. nbytes: of each array. slots_rva 0: none. */
bool collect_import_names(struct table_collector *collector, uint64_t names_rva, uint64_t slots_rva,
                          uint64_t nbytes);
bool collect_delay_imports(struct table_collector *collector);
bool collect_load_config(struct table_collector *collector);

/* Directory `index`, or {0, 0} when the image has none. */
struct verify_directory collect_directory(const struct table_collector *collector, uint32_t index);

#endif
