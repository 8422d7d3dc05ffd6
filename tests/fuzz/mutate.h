/* mutate.h - the shape of an image as the mutator sees it: places of fields, and addresses worth putting into
 * them. Takes: any bytes.  Gives: a list of fields, as far as they can be found. Must not: use anything of
 * tool/image or tool/refs: what those read wrongly must still be found and changed here. Reading is lenient:
 * what does not fit the file is left out, nothing is refused. */
#ifndef HVCIFIX_TESTS_FUZZ_MUTATE_H
#define HVCIFIX_TESTS_FUZZ_MUTATE_H

#include "base/pe_format.h"
#include "base/span.h"

enum { MOST_FIELDS = 6000, MOST_BORDERS = 400, MOST_SECTIONS_SEEN = 64 };

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
};

/* The fields of the headers, then those of the tables that they lead to. */
void shape_read(struct span file, struct shape *shape);

/* Adds consecutive fields from foff on; each character of `widths` is the width of one ("442"). */
void shape_add_fields(struct shape *shape, uint64_t foff, const char *widths);

/* File offset of an RVA by the section headers; false when no section and no header holds it. */
bool shape_foff(const struct shape *shape, uint64_t rva, uint32_t *foff);

/* Adds the fields of tables, found from the data directories. */
void shape_add_tables(struct shape *shape);

#endif
