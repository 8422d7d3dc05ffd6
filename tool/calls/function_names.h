/* function_names.h - names that an image itself gives to its functions.
 * Takes: image, names that somebody gives besides.  Gives: names by RVA, of exports and of the COFF symbol
 * table.  Must not: look beside the image: what a listing says depends on what is given alone. Source: PE
 * format specification, ".edata" and "COFF Symbol Table". */
#ifndef HVCIFIX_CALLS_FUNCTION_NAMES_H
#define HVCIFIX_CALLS_FUNCTION_NAMES_H

#include "image/image.h"

enum { FUNCTION_NAME_MOST_NBYTES = 512 }; /* longer ones are passed over */

/* A name that does not stand in the image: from its PDB, or the map of its linker. */
struct given_name {
    uint32_t rva;
    uint32_t nbytes; /* of the function; 0: not known */
    const char *name;
};

struct given_names {
    struct given_name *items; /* ascending, one for each RVA */
    size_t count;
};

/* The name as C has it: x86 linkers write _name, _name@8 and @name@8. Names of C++ (?...) stay as they are,
 * and so do all names of other machines. Source: Microsoft C++, "Decorated names". */
struct span name_undecorated(const struct image *image, struct span name);

/* Puts them in order; of several at one RVA the first by its bytes stays, with the largest size. */
void given_names_order(struct given_names *names);

struct function_name {
    uint32_t rva;
    const char *name;
};

struct function_names {
    struct function_name *items; /* ascending, one for each RVA */
    size_t count, capacity;
    const struct given_names *given; /* for what the image does not name; NULL: none. Borrowed */
};

/* False when memory ran out. Damaged tables end the reading. Linear in the size of the file. None are given.
 */
bool function_names_read(const struct image *image, struct arena *arena, struct function_names *names);

/* The name that the image itself has for the function that begins at function_rva; NULL: none. */
const char *function_own_name(const struct function_names *names, uint32_t function_rva);

/* "name+0x12" for a place in the function that begins at function_rva ("name" alone when the place is its
 * beginning or lies in a part that was moved before it). A name that is given counts where it begins there,
 * or its function is known to reach there. NULL when the function has no name. */
const char *function_name_of(const struct function_names *names, uint32_t function_rva, uint32_t site_rva,
                             struct arena *arena);

#endif
