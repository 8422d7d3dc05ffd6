/* ref_window.h - a range of the image as bytes, RVA and file offset at once, for the collectors.
 * Takes: a place in the image.  Gives: bounded bytes, and references to fields inside them.
 * Must not: reach outside the file. Private to tool/refs. */
#ifndef HVCIFIX_REFS_REF_WINDOW_H
#define HVCIFIX_REFS_REF_WINDOW_H

#include "refs/refset.h"

struct window {
    struct span bytes;
    uint32_t rva; /* NO_RVA when the bytes are not mapped */
    uint64_t foff;
};

/* All file-backed bytes from rva to the end of its section. False, and an empty window, when there are none.
 */
bool window_from_rva(const struct image *image, uint32_t rva, struct window *window);

/* Exactly [rva, rva + nbytes). False, and an empty window, when not all of it is backed by the file. */
bool window_at_rva(const struct image *image, uint32_t rva, uint64_t nbytes, struct window *window);

/* Exactly [foff, foff + nbytes) of the file, with the RVA when all of it is mapped in one piece. */
bool window_at_foff(const struct image *image, uint64_t foff, uint64_t nbytes, struct window *window);

/* The part [offset, offset + nbytes) of a window, which must hold it: the caller has checked. */
struct window window_part(const struct window *window, uint64_t offset, uint64_t nbytes);

/* Adds the field at `offset` as refset_add() does, without looking its place up again. The field must lie
 * inside the window, else nothing is added and a problem is recorded. False when memory ran out. */
bool window_add(struct refset *refs, const struct window *window, uint64_t offset, struct ref_spec spec);

/* True when the field at `offset` is in the inventory already: a walk that meets such a field has met a
 * table that is shared or cyclic, and must stop. */
static inline bool window_claimed(const struct refset *refs, const struct window *window, uint64_t offset)
{
    return site_set_has(&refs->claimed, window->foff + offset);
}

#endif
