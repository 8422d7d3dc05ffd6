/* data_pointers.h - pointers in data that lead to code, but that code uses as pointers to data.
 * Private to tool/plan. Takes: inventory, code map.  Gives: a set of their places.
 * Must not: say which data they mean.
 *
 * `static const T *p = array - 16` is an address before the array, and may fall on the begin of a function by
 * chance. Nobody reads memory through a pointer to a function. */
#ifndef HVCIFIX_PLAN_DATA_POINTERS_H
#define HVCIFIX_PLAN_DATA_POINTERS_H

#include "code/code_map.h"
#include "refs/site_set.h"

/* File offsets of relocated fields outside of instructions that lead to an instruction, and that code loads
 * and reads or writes memory through. False when memory ran out. Work linear in the references, and bounded
 * by the size of the file for what is followed. */
bool data_pointers_find(struct site_set *found, const struct image *image, const struct refset *refs,
                        const struct code_map *code, struct arena *arena);

#endif
