/* function_list.h - where functions begin, as the search for calls sees it.
 * Takes: code map, inventory.  Gives: beginnings, ascending: those of the code map, and places that code of
 * another function jumps to (tail calls of functions that nothing else names).  Must not: judge. */
#ifndef HVCIFIX_CALLS_FUNCTION_LIST_H
#define HVCIFIX_CALLS_FUNCTION_LIST_H

#include "calls/function_parts.h"
#include "code/code_map.h"

struct function_begin {
    uint32_t begin_rva;
    uint32_t end_rva; /* from unwind data; else begin_rva: not known */
};

struct function_list {
    struct function_begin *items;
    size_t count;
    struct function_parts parts;
};

/* False when memory ran out. */
bool function_list_make(const struct image *image, const struct refset *refs, const struct code_map *map,
                        struct arena *arena, struct function_list *list);

/* The function that begins at begin_rva; NULL when none does. */
const struct function_begin *function_list_at(const struct function_list *list, uint32_t begin_rva);

/* The last one that begins at or before rva in its section; NULL when there is none. */
const struct function_begin *function_list_holding(const struct function_list *list,
                                                   const struct code_map *map, uint32_t rva);

/* Where the next function begins, or the section ends. */
uint32_t function_list_limit(const struct function_list *list, const struct code_map *map,
                             const struct function_begin *function);

#endif
