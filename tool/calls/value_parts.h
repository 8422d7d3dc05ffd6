/* value_parts.h - how sets of atoms are put together: for value.c and value_compute.c.
 * Takes: atoms.  Gives: numbers of values.  Must not: be included elsewhere. */
#ifndef HVCIFIX_CALLS_VALUE_PARTS_H
#define HVCIFIX_CALLS_VALUE_PARTS_H

#include "calls/value.h"

/* What the masks leave, in one form: no origin without a bit of it, no bit twice. */
struct atom atom_simplified(struct atom atom);

/* Adds an atom to a set that is being made. False when it is full. */
bool value_add_atom(struct value_table *table, struct value *value, const struct atom *atom);

value_number value_number_of(struct value_table *table, const struct value *value);

/* The value that is this atom alone. */
value_number value_alone(struct value_table *table, struct atom atom);

#endif
