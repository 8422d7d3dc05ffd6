/* verify_label_count.h - how long a table is that code reads at an index.
 * Takes: the load of an entry.  Gives: the number of entries that the comparison before it lets in.
 * Must not: take the comparison of another value for that of the index. */
#ifndef HVCIFIX_VERIFY_VERIFY_LABEL_COUNT_H
#define HVCIFIX_VERIFY_VERIFY_LABEL_COUNT_H

#include "verify/verify_inventory.h"

/* For the instruction at section offset load_at of a clean x64 function, whose second operand is memory with
 * an index; 0 when no comparison with a constant and `ja` or `jae` close before it says how large the index
 * is. */
uint32_t verify_label_count(struct verify_moves *moves, const struct verify_code_section *section,
                            const struct verify_function *function, size_t load_at);

#endif
