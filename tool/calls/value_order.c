/* value_order.c - the atoms of a value in one order, whatever was read before.
 * Takes: a value.  Gives: copies of its atoms, sorted.  Must not: look at their numbers in the table. */
#include "calls/value.h"

static unsigned rank(const struct atom *atom)
{
    return atom->kind == ATOM_UNKNOWN ? UINT8_MAX : atom->kind;
}

static bool comes_before(const struct atom *a, const struct atom *b)
{
    if (rank(a) != rank(b))
        return rank(a) < rank(b);
    if (a->id != b->id)
        return a->id < b->id;
    if (a->number != b->number)
        return a->number < b->number;
    return a->or_mask != b->or_mask ? a->or_mask < b->or_mask : a->and_mask < b->and_mask;
}

uint32_t value_in_order(const struct value_table *table, value_number value, struct atom *atoms)
{
    uint32_t count = table->values[value].atom_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct atom *atom = value_atom(table, value, i);
        uint32_t at = i;
        for (; at > 0 && comes_before(atom, &atoms[at - 1]); at--)
            atoms[at] = atoms[at - 1];
        atoms[at] = *atom;
    }
    return count;
}
