/* ref_order.h - the references by the field that holds them. Private to tool/plan.
 * Takes: the inventory.  Gives: its indexes in another order.  Must not: change or judge a reference. */
#ifndef HVCIFIX_PLAN_REF_ORDER_H
#define HVCIFIX_PLAN_REF_ORDER_H

#include "refs/refset.h"

/* Fields of loader tables: neither code nor base relocations found them. */
static inline bool ref_is_in_table(const struct ref *ref)
{
    return ref->source != SOURCE_CODE && ref->source != SOURCE_RELOCATED && ref->source != SOURCE_BASERELOCS;
}

/* Indexes of refs->refs by ascending site_foff; of one field, the source that knows most of it comes first: a
 * table, then an instruction, then the relocation. In the arena; NULL when memory ran out. */
const uint32_t *ref_order_make(const struct refset *refs, struct arena *arena);

#endif
