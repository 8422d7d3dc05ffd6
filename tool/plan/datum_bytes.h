/* datum_bytes.h - which bytes can be data that code forms addresses of, whatever the layout.
 * Private to tool/plan. Takes: inventory, extents, code map.  Gives: sets of file offsets.
 * Must not: know of pieces, or say what an address means; edges.c does. */
#ifndef HVCIFIX_PLAN_DATUM_BYTES_H
#define HVCIFIX_PLAN_DATUM_BYTES_H

#include "code/code_map.h"
#include "plan/literal_bytes.h"

struct datum_bytes {
    struct site_set inert;          /* bytes that are no datum of code: instructions, tables, fill */
    struct site_set begins;         /* where a table begins that others than code read */
    struct site_set literals;       /* string literals between code */
    struct site_set literal_begins; /* their first bytes */
    struct literal_bytes texts;     /* all literals, named or not */
};

/* False when memory ran out. Work linear in the file and the references. */
bool datum_bytes_find(struct datum_bytes *bytes, const struct image *image, const struct refset *refs,
                      const struct code_map *code, struct arena *arena);

#endif
