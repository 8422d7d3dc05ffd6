/* map_names.h - the names that an image has for its addresses.
 * Takes: an image.  Gives: names with their RVAs, in ascending order.  Must not: judge, or read any other
 * file. */
#ifndef HVCIFIX_REPORT_MAP_NAMES_H
#define HVCIFIX_REPORT_MAP_NAMES_H

#include "image/image.h"

struct map_name {
    const char *text; /* as the image has it; not empty, at most MAP_NAME_MOST_NBYTES */
    uint32_t rva;
    const char *source; /* "export" or "symbol" */
};

enum { MAP_NAME_MOST_NBYTES = 2048 };

struct map_names {
    struct map_name *items; /* by RVA, then text; no two are the same */
    size_t count, capacity;
};

/* Exports that are no forwarders, and COFF symbols that lie in sections and name no section. What cannot be
 * read is left out. False when memory ran out. Work: n log n in the file's size. */
bool map_names_read(const struct image *image, struct map_names *names);

#endif
