/* destinations.h - what leads where in the image, by file offset. Private to tool/plan.
 * Takes: inventory, code map.  Gives: three sets of places.  Must not: depend on a layout, or judge. */
#ifndef HVCIFIX_PLAN_DESTINATIONS_H
#define HVCIFIX_PLAN_DESTINATIONS_H

#include "code/code_map.h"
#include "refs/site_set.h"

struct destinations {
    struct site_set any;    /* anything leads there: branches, tables, pointers, addresses that code takes */
    struct site_set labels; /* branches, jump tables and tables of the loader do */
    struct site_set inner;  /* short and conditional branches do: functions branch so inside themselves */
};

/* False when memory ran out. Work linear in the references. */
bool destinations_find(struct destinations *found, const struct image *image, const struct refset *refs,
                       const struct code_map *code, struct arena *arena);

#endif
