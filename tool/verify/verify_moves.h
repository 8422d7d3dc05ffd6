/* verify_moves.h - the verdict on a pair whose parts lie at new places.
 * Takes: two images.  Gives: explained differences, or a counter-example.
 * Must not: be told where anything went. */
#ifndef HVCIFIX_VERIFY_VERIFY_MOVES_H
#define HVCIFIX_VERIFY_VERIFY_MOVES_H

#include "verify/verify_case.h"

/* True when the two images differ in their layout, not only in fields of the headers. */
bool verify_is_moved(const struct verify_case *judged);

/* False when refuted or out of memory. */
bool verify_moved(struct verify_case *judged);

#endif
