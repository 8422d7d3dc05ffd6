/* verify_accessed.h - pointers in data through which code accesses memory.
 * Takes: struct verify_moves behind the reading of code.  Gives: yes or no for one pointer.
 * Must not: say no more than that some code does: a pointer that is called through may be one to data, too.
 */
#ifndef HVCIFIX_VERIFY_VERIFY_ACCESSED_H
#define HVCIFIX_VERIFY_VERIFY_ACCESSED_H

#include "verify/verify_inventory.h"

/* An instruction loads the relocated address at pointer_rva of the old image, and what it loaded is accessed
 * through, or something is added to it: it is not the address of code, whatever lies there. True as well when
 * memory ran out. */
bool verify_is_accessed_through(struct verify_moves *moves, uint64_t pointer_rva);

#endif
