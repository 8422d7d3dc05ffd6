/* extent_index.h - the typed extents of some kinds by address.
 * Takes: the inventory.  Gives: the extent that holds an address.  Must not: read what lies there. */
#ifndef HVCIFIX_REFS_EXTENT_INDEX_H
#define HVCIFIX_REFS_EXTENT_INDEX_H

#include "refs/refset.h"

struct extent_index {
    struct extent *extents; /* by ascending rva; those that lie in one before them are left out */
    size_t count;
};

/* kinds: one bit, 1 << enum extent_kind, for each kind that is wanted. False when memory ran out. */
bool extent_index_init(struct extent_index *index, const struct refset *refs, uint64_t kinds,
                       struct arena *arena);

/* The extent that holds rva, or NULL. */
const struct extent *extent_index_at(const struct extent_index *index, uint32_t rva);

#endif
