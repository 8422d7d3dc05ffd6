/* extent_index.c - sorting extents once, so that asking for one does not cost as much as there are. */
#include "refs/extent_index.h"

#include <stdlib.h>

_Static_assert((int)EXTENT_KIND_COUNT <= 64, "kinds fit into a set of bits");

static int by_rva(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return x->nbytes > y->nbytes ? -1 : x->nbytes < y->nbytes;
}

bool extent_index_init(struct extent_index *index, const struct refset *refs, uint64_t kinds,
                       struct arena *arena)
{
    size_t count = 0, kept = 0;
    *index = (struct extent_index){arena_array(arena, refs->extent_count, sizeof *index->extents), 0};
    if (!index->extents)
        return false;
    for (size_t i = 0; i < refs->extent_count; i++)
        if (kinds >> refs->extents[i].kind & 1)
            index->extents[count++] = refs->extents[i];
    if (count > 1)
        qsort(index->extents, count, sizeof *index->extents, by_rva);
    uint64_t end_rva = 0;
    for (size_t i = 0; i < count; i++) {
        const struct extent extent = index->extents[i];
        if ((uint64_t)extent.rva + extent.nbytes <= end_rva)
            continue;
        end_rva = (uint64_t)extent.rva + extent.nbytes;
        index->extents[kept++] = extent;
    }
    index->count = kept;
    return true;
}

const struct extent *extent_index_at(const struct extent_index *index, uint32_t rva)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->extents[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    /* Ends ascend as begins do: of those that begin at or before rva, the last ends last. */
    if (low == 0 || rva - index->extents[low - 1].rva >= index->extents[low - 1].nbytes)
        return NULL;
    return &index->extents[low - 1];
}
