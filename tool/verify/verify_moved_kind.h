/* verify_moved_kind.h - what kinds of images a proof of moved parts covers.
 * Takes: both images.  Gives: yes, or why nothing is proved of such a pair.
 * Must not: need the map: all of it is asked of the old image, or of the new one, by itself. */
#ifndef HVCIFIX_VERIFY_VERIFY_MOVED_KIND_H
#define HVCIFIX_VERIFY_VERIFY_MOVED_KIND_H

#include "verify/verify_inventory.h"

/* The machine's code is decoded here, the sections ascend and lie in the file where the loader takes them,
 * and an x86 image has base relocations, or nothing in it runs. False: not proved, which the verdict says. */
bool verify_moved_kind(struct verify_moves *moves);

/* The new image is well formed: it breaks no rule of verify_structure.h that the old one kept, and none at
 * all when it has a new layout. False: refuted. */
bool verify_moved_structure(struct verify_case *judged);

/* An x64 image without base relocations holds no eight bytes that may be an address of its own. False: not
 * proved. Work: linear in the file. */
bool verify_moved_unrelocated(struct verify_moves *moves);

#endif
