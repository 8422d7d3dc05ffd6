/* function_parts.h - functions that unwind data describes in several parts.
 * Takes: image (x64).  Gives: for the beginning of a part the beginning of its function.  Must not: judge.
 * A part whose unwind information chains to another entry belongs to that entry's function. Source: x64
 * exception handling, chained unwind info structures. */
#ifndef HVCIFIX_CALLS_FUNCTION_PARTS_H
#define HVCIFIX_CALLS_FUNCTION_PARTS_H

#include "image/image.h"

struct function_part {
    uint32_t begin_rva, end_rva;
    uint32_t function_rva; /* where its function begins */
};

struct function_parts {
    struct function_part *items; /* ascending by begin_rva */
    size_t count;
};

/* False when memory ran out. Linear in the number of entries. */
bool function_parts_read(const struct image *image, struct arena *arena, struct function_parts *parts);

/* The function that the part at begin_rva belongs to; begin_rva itself when it is no part of another. */
uint32_t function_parts_owner(const struct function_parts *parts, uint32_t begin_rva);

#endif
