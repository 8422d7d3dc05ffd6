/* site_order.c - judged calls in order of address, each once.
 * Takes: a list of sites.  Gives: the same list sorted; whether a place is in it.  Must not: judge. */
#include "calls/calls_internal.h"

#include <stdlib.h>

static int compare_rvas(const void *left, const void *right)
{
    const struct call_site *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static int compare_sites(const void *left, const void *right)
{
    const struct call_site *a = left, *b = right;
    int by_rva = compare_rvas(a, b);
    return by_rva ? by_rva : a->function_rva < b->function_rva ? -1 : a->function_rva > b->function_rva;
}

bool sites_hold(const struct call_site_list *sites, size_t count, uint32_t rva)
{
    struct call_site key = {.rva = rva};
    return count != 0 && bsearch(&key, sites->items, count, sizeof key, compare_rvas) != NULL;
}

/* Code that two functions share is read with each of them: the weaker verdict stands. */
void sites_order(struct call_site_list *sites)
{
    size_t kept = 0;
    if (sites->count > 1)
        qsort(sites->items, sites->count, sizeof *sites->items, compare_sites);
    for (size_t i = 0; i < sites->count; i++) {
        if (kept == 0 || sites->items[kept - 1].rva != sites->items[i].rva)
            sites->items[kept++] = sites->items[i];
        else if (sites->items[i].verdict != sites->items[kept - 1].verdict) {
            struct call_site *site = &sites->items[kept - 1];
            site->verdict = SITE_DEPENDS;
            site->reason = "two functions share this code";
        }
    }
    sites->count = kept;
}
