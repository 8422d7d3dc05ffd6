/* verify_around_head.h - addresses of functions that may be those of the structure around a list's head.
 * Takes: the map, an operand.  Gives: verify_may_be_around_head().  Must not: doubt an address that is stored
 * or passed as functions are. */
#ifndef HVCIFIX_VERIFY_VERIFY_AROUND_HEAD_H
#define HVCIFIX_VERIFY_VERIFY_AROUND_HEAD_H

#include "verify/verify_among_code.h"

/* CONTAINING_RECORD(&head, struct item, link) is the address of the head less the place of the link, and may
 * equal the begin of a function by chance. True when the operand at `field` takes rva and may mean that:
 * writable data that moved otherwise lie no farther behind it than structures are long; what is there has
 * another reason to be there (the function is called, lies in a table, or is none, as jumps lead across the
 * place), or is a constant but no text; and the address is neither stored into an object, nor passed through
 * a pointer to a function or to an import. */
bool verify_may_be_around_head(struct verify_moves *moves, const struct verify_field_in_code *field,
                               size_t operand_at, uint64_t rva);

/* The same of an address alone. */
bool verify_has_head_behind(const struct verify_moves *moves, uint64_t rva);

/* A little further on in the function of the field: where it goes on after an exception. */
bool verify_is_ahead(struct verify_moves *moves, uint64_t field_rva, uint64_t rva);

#endif
