/* mutate.h - the shape of an image as the mutator sees it: places of fields, and addresses worth putting into
 * them. Takes: any bytes.  Gives: a list of fields, as far as they can be found. Must not: use anything of
 * tool/image or tool/refs: what those read wrongly must still be found and changed here. Reading is lenient:
 * what does not fit the file is left out, nothing is refused. */
#ifndef HVCIFIX_TESTS_FUZZ_MUTATE_H
#define HVCIFIX_TESTS_FUZZ_MUTATE_H

#include "base/pe_format.h"
#include "base/span.h"

enum { MOST_FIELDS = 6000, MOST_BORDERS = 400, MOST_SECTIONS_SEEN = 64, MOST_TABLES = 64 };

/* The tables that a target is about. A target fuzz_refs_NAME.c defines mutate_family; in the others it is
 * FAMILY_NONE, and all fields are alike. */
enum { FAMILY_NONE, FAMILY_RELOCATIONS, FAMILY_MODULES, FAMILY_UNWIND, FAMILY_LOAD_CONFIG, FAMILY_RESOURCES };
extern unsigned mutate_family;

/* Equal records, one behind the other; all lie in the file. */
struct table {
    uint32_t foff, rva, record_nbytes, record_count;
};

struct field {
    uint32_t foff;
    uint8_t width_nbytes; /* 1, 2, 4 or 8 */
};

struct shape {
    struct span file;
    bool has_headers; /* the fields below are set */
    bool is_64;
    uint16_t machine;
    uint32_t coff_foff, opt_foff, directories_foff, directory_count, section_table_foff, section_count;
    uint64_t image_base_va;

    struct field fields[MOST_FIELDS];
    size_t field_count, header_field_count; /* header fields come first */
    uint64_t borders[MOST_BORDERS];         /* RVAs and file offsets where something begins or ends */
    size_t border_count;

    /* Of the family: the last fields from family_field_first on, and its tables. */
    size_t family_field_first;
    struct table tables[MOST_TABLES];
    size_t table_count;
};

/* The fields of the headers, then those of the tables that they lead to. */
void shape_read(struct span file, struct shape *shape);

/* Adds consecutive fields from foff on; each character of `widths` is the width of one ("442"). */
void shape_add_fields(struct shape *shape, uint64_t foff, const char *widths);

/* File offset of an RVA by the section headers; false when no section and no header holds it. */
bool shape_foff(const struct shape *shape, uint64_t rva, uint32_t *foff);

/* Adds the fields of tables, found from the data directories. */
void shape_add_tables(struct shape *shape);

/* Adds the tables of the family and once more their fields, so that they are met more often. */
void shape_add_family(struct shape *shape, unsigned family);

/* Address or size of a data directory. */
uint32_t shape_directory_word(const struct shape *shape, unsigned number, unsigned offset);

/* An input while it is changed. */
struct mutation {
    uint8_t *data;
    size_t nbytes, most_nbytes;
    uint64_t random_state;
    struct shape *shape;
};

/* 0 .. limit - 1. */
uint64_t mutate_pick(struct mutation *m, uint64_t limit);

/* Half of the time a field of the family's tables, if there is a family; else half of the time a header
 * field. */
const struct field *mutate_pick_field(struct mutation *m);
uint64_t mutate_load(const struct mutation *m, const struct field *field);

/* Changes one of the family's tables; there must be one. */
void mutate_table(struct mutation *m);

#endif
