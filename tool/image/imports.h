/* imports.h - which function a slot of the import address table is.
 * Takes: image.  Gives: slots with names, sorted.  Must not: judge, or trust a count. */
#ifndef HVCIFIX_IMAGE_IMPORTS_H
#define HVCIFIX_IMAGE_IMPORTS_H

#include "image/image.h"

struct import {
    uint32_t slot_rva;
    const char *name;   /* NULL: by number */
    const char *module; /* as the image writes it */
    uint16_t number;
};

struct import_list {
    struct import *items;
    size_t count, capacity;
};

/* False when memory ran out. A damaged table ends the list. Work: linear in the file's size. */
bool imports_read(const struct image *image, struct arena *arena, struct import_list *list);

/* The import whose slot lies at slot_rva, or NULL. */
const struct import *import_at(const struct import_list *list, uint32_t slot_rva);

#endif
