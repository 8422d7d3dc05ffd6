/* verify_tail.h - what files hold behind their sections, where nothing is loaded from.
 * Takes: struct verify_moves.  Gives: which bytes there are known, and true when the new file has no others.
 * Must not: accept a byte there because nothing loads it: debuggers and people read it. */
#ifndef HVCIFIX_VERIFY_VERIFY_TAIL_H
#define HVCIFIX_VERIFY_VERIFY_TAIL_H

#include "verify/verify_inventory.h"

/* The data of a debug entry (at entry_rva of the old image) that has no RVA and lies in no section: the new
 * entry has them unchanged but for addresses, or says that there are none. Adds the entry's fields. Without a
 * counter-example it is shown that they are the same when verify_tail() says so. False when refuted or out of
 * memory. */
bool verify_unmapped_debug(struct verify_moves *moves, uint64_t entry_rva, uint32_t foff, uint32_t nbytes);

/* Behind the last section of the new file: debug data, symbols, zeros. Behind that of the old file: nothing
 * that is not known either. */
bool verify_tail(struct verify_moves *moves);

/* The symbol table that the COFF header names, with its strings. False when there is none in the file. */
bool verify_symbol_range(const struct verify_image *image, uint64_t *foff, uint64_t *end_foff);

#endif
