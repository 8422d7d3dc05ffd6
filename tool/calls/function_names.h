/* function_names.h - names that an image itself gives to its functions.
 * Takes: image.  Gives: names by RVA, of exports and of the COFF symbol table.  Must not: look beside the
 * image: what a listing says depends on the image alone. Source: PE format specification, ".edata" and "COFF
 * Symbol Table". */
#ifndef HVCIFIX_CALLS_FUNCTION_NAMES_H
#define HVCIFIX_CALLS_FUNCTION_NAMES_H

#include "image/image.h"

struct function_name {
    uint32_t rva;
    const char *name;
};

struct function_names {
    struct function_name *items; /* ascending, one for each RVA */
    size_t count, capacity;
};

/* False when memory ran out. Damaged tables end the reading. Linear in the size of the file. */
bool function_names_read(const struct image *image, struct arena *arena, struct function_names *names);

/* "name+0x12" for a place in the function that begins at function_rva ("name" alone when the place is its
 * beginning or lies in a part that was moved before it). NULL when the function has no name. */
const char *function_name_of(const struct function_names *names, uint32_t function_rva, uint32_t site_rva,
                             struct arena *arena);

#endif
