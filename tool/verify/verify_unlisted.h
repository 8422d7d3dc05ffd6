/* verify_unlisted.h - numbers in no table and no operand that lead to what moved otherwise.
 * Takes: struct verify_moves with all fields.  Gives: true, or the number that is not shown to be none.
 * Must not: pass over a number because nobody is seen to read it. */
#ifndef HVCIFIX_VERIFY_VERIFY_UNLISTED_H
#define HVCIFIX_VERIFY_VERIFY_UNLISTED_H

#include "verify/verify_inventory.h"

bool verify_unlisted(struct verify_moves *moves);

#endif
