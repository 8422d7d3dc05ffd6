/* binding.h - addresses that bind.exe, or the linker with /BIND, wrote into the import address table.
 * Takes: an image.  Gives: which import descriptors are bound.  Must not: judge whether a binding is current.
 *
 * A bound slot holds the address that the imported function had on another machine. It saves the user-mode
 * loader a search when that is still right; the kernel always searches. What to search for stands in the
 * lookup table, so a binding can be taken back: stamps 0, slots as the lookup table has them, no
 * directory 11. A new layout does so, because the bound import directory lies behind the section table, which
 * grows. */
#ifndef HVCIFIX_PLAN_BINDING_H
#define HVCIFIX_PLAN_BINDING_H

#include "image/image.h"

/* One import descriptor. Its fields lie at descriptor_foff. */
struct binding {
    uint32_t descriptor_foff, lookup_rva, iat_rva;
    bool is_bound; /* its stamp says so */
};

/* Descriptor `index` of the import directory; false behind the last. */
bool binding_at(const struct image *image, uint32_t index, struct binding *binding);

/* True when the binding cannot be taken back: there is no lookup table beside the slots. */
bool binding_is_final(const struct binding *binding);

/* The bytes behind the section table that the bound import directory has there; false when it has none. */
bool binding_header_range(const struct image *image, uint32_t *foff, uint32_t *nbytes);

#endif
