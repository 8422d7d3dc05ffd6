/* ref_order.c - see ref_order.h. */
#include "plan/ref_order.h"

#include <stdlib.h>

struct by_site {
    uint32_t site_foff;
    uint32_t index;
    int rank;
};

static int rank(const struct ref *ref)
{
    if (ref_is_in_table(ref))
        return 0;
    return ref->source == SOURCE_CODE ? 1 : 2;
}

static int compare_sites(const void *a, const void *b)
{
    const struct by_site *x = a, *y = b;
    if (x->site_foff != y->site_foff)
        return x->site_foff < y->site_foff ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

const uint32_t *ref_order_make(const struct refset *refs, struct arena *arena)
{
    struct by_site *sites = arena_array(arena, refs->ref_count, sizeof *sites);
    uint32_t *order = arena_array(arena, refs->ref_count, sizeof *order);
    if (!sites || !order)
        return NULL;
    for (size_t i = 0; i < refs->ref_count; i++)
        sites[i] = (struct by_site){refs->refs[i].site_foff, (uint32_t)i, rank(&refs->refs[i])};
    qsort(sites, refs->ref_count, sizeof *sites, compare_sites);
    for (size_t i = 0; i < refs->ref_count; i++)
        order[i] = sites[i].index;
    return order;
}
