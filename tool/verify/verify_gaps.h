/* verify_gaps.h - code between the functions that unwind data bounds: leaf functions, thunks.
 * Takes: the old image's code and typed tables.  Gives: ranges that decode as one instruction after the
 * other, as functions of struct verify_code.  Must not: take a range that does not decode to its very end. */
#ifndef HVCIFIX_VERIFY_VERIFY_GAPS_H
#define HVCIFIX_VERIFY_VERIFY_GAPS_H

#include "verify/verify_code.h"

/* `inert` are more ranges that are no code, or NULL. On x86 all code lies between functions. False when
 * memory ran out. */
bool verify_gaps_mark(struct verify_code *code, const struct verify_range_list *inert, struct arena *arena);

#endif
