/* call_executed.c - allocations whose memory is called.
 * Takes: the sites, ascending, and the records of the functions read.  Gives: site->called_rva.
 * Must not: follow memory into callees, or through pointers: what is not seen to be called is not marked. */
#include "calls/calls_internal.h"

#include <stdlib.h>

/* A global variable that may hold what a site returned. */
struct held {
    uint32_t rva;
    size_t site;
};

struct executed_search {
    struct call_search *search;
    struct call_site_list *sites;
    struct held *held;
    size_t held_count, held_capacity;
};

static size_t site_of(const struct call_site_list *sites, uint32_t rva)
{
    size_t low = 0, high = sites->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sites->items[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sites->count && sites->items[low].rva == rva ? low : SIZE_MAX;
}

static int compare(const void *left, const void *right)
{
    const struct held *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static bool hold(struct executed_search *all, uint32_t rva, size_t site)
{
    struct held *held = arena_grow(all->search->arena, all->held, all->held_count, &all->held_capacity,
                                   all->held_count + 1, sizeof *held);
    if (!held)
        return false;
    all->held = held;
    held[all->held_count++] = (struct held){rva, site};
    return true;
}

/* Variables that results are stored to, and all functions that name them. */
static bool find_held(struct executed_search *all)
{
    struct call_search *search = all->search;
    for (size_t i = 0; i < search->records.store_count; i++) {
        struct store_record store = search->records.stores[i];
        for (uint32_t k = 0; k < search->values.values[store.value].atom_count; k++) {
            const struct atom *atom = value_atom(&search->values, store.value, k);
            size_t site = atom->kind == ATOM_RESULT ? site_of(all->sites, (uint32_t)atom->number) : SIZE_MAX,
                   first, count;
            if (site == SIZE_MAX)
                continue;
            if (!hold(all, store.rva, site))
                return false;
            search_refs_to(search, store.rva, store.nbytes ? store.nbytes : 1, &first, &count);
            for (size_t n = first; n < first + count && search_take_steps(search, 1); n++)
                if (search->refs->refs[search->by_target[n].ref].source == SOURCE_CODE)
                    (void)search_function_holding(search,
                                                  search->refs->refs[search->by_target[n].ref].site_rva);
            if (search->arena->exhausted)
                return false;
        }
    }
    if (all->held_count > 1)
        qsort(all->held, all->held_count, sizeof *all->held, compare);
    return true;
}

static void mark(struct executed_search *all, size_t site, uint32_t call_rva)
{
    if (all->sites->items[site].called_rva == 0)
        all->sites->items[site].called_rva = call_rva;
}

static void mark_held(struct executed_search *all, uint32_t rva, uint32_t call_rva)
{
    size_t low = 0, high = all->held_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->held[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < all->held_count && all->held[low].rva == rva; low++)
        mark(all, all->held[low].site, call_rva);
}

bool search_mark_executed(struct call_search *search, struct call_site_list *sites)
{
    struct executed_search all = {.search = search, .sites = sites};
    if (sites->count == 0)
        return true;
    if (!find_held(&all))
        return false;
    for (size_t i = 0; i < search->records.call_count; i++) {
        const struct call_record *call = &search->records.calls[i];
        for (uint32_t k = 0; !call->target_rva && k < search->values.values[call->target].atom_count; k++) {
            const struct atom *atom = value_atom(&search->values, call->target, k);
            size_t site = atom->kind == ATOM_RESULT ? site_of(sites, (uint32_t)atom->number) : SIZE_MAX;
            if (site != SIZE_MAX)
                mark(&all, site, call->site_rva);
            if (atom->kind == ATOM_GLOBAL)
                mark_held(&all, (uint32_t)atom->number, call->site_rva);
        }
    }
    return true;
}
