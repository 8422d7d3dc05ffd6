/* call_list.h - every call of a function of Windows, with what is known of its arguments.
 * Takes: image, inventory, code map (x86 and x64).  Gives: calls by RVA, those that may ask for executable
 * memory with their verdict.  Must not: judge beyond call_sites.h. */
#ifndef HVCIFIX_CALLS_CALL_LIST_H
#define HVCIFIX_CALLS_CALL_LIST_H

#include "calls/call_sites.h"

struct listed_call {
    uint32_t rva;
    uint32_t function_rva;
    const char *function_name; /* "name+0x12" of this place, or NULL: nobody names it */
    const char *name;          /* of the function of Windows, or "module!#number" */
    const char *arguments; /* "NonPagedPool, 0x40, 'Tag1'"; "?" is not known, "..." how many is not known */
    const struct call_site *site; /* when it may ask for executable memory; else NULL */
};

struct call_list {
    struct listed_call *items;
    size_t count, capacity;
    struct call_site_list sites;
    size_t verdict_counts[SITE_VERDICT_COUNT]; /* by enum site_verdict */
};

/* `given` as for call_sites_find(). False when memory ran out. Reads all functions of the code map. */
bool call_list_find(const struct image *image, const struct refset *refs, const struct code_map *map,
                    const struct given_names *given, struct arena *arena, struct call_list *list);

#endif
