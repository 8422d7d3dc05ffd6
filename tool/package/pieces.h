/* pieces.h - what a program carries with it: images and archives among its resources, and behind its end.
 * Takes: struct image.  Gives: the parts of the file that begin like one, with their names.
 * Must not: unpack or judge them; look at other resources. */
#ifndef HVCIFIX_PACKAGE_PIECES_H
#define HVCIFIX_PACKAGE_PIECES_H

#include "image/image.h"

/* One part: "rsrc/102" (raw data, RT_RCDATA, number 102), "rsrc/DRIVER/KBD" (type and name),
 * "rsrc/102/1031" (where there is more than one language), "overlay". */
struct piece {
    const char *name;
    uint64_t foff, nbytes; /* inside the file */
};

struct piece_list {
    struct piece *items; /* in the order of the resource tree, the overlay last */
    size_t count, capacity;
    bool is_cut; /* the tree has more entries than are looked at */
};

/* Do the bytes begin like an image (MZ)? */
bool piece_is_image(struct span bytes);

/* False when memory ran out. Work: linear in the tree, of which at most 65,536 entries are looked at, and
 * never more than would fit beside each other. */
bool pieces_find(const struct image *image, struct arena *arena, struct piece_list *list);

#endif
