/* verify_read_through.h - does code read, through an address that it takes, what a new layout changes?
 * Takes: a field in code.  Gives: yes, or no.  Must not: judge where the address itself leads. */
#ifndef HVCIFIX_VERIFY_VERIFY_READ_THROUGH_H
#define HVCIFIX_VERIFY_VERIFY_READ_THROUGH_H

#include "verify/verify_operand.h"
#include "verify/verify_sides.h"

/* The instruction takes the address rva of an instruction and goes on to read there with an index or step by
 * step; or (x64) of a table in data whose entries, added to it, would lead to parts that moved otherwise. */
bool verify_reads_what_changed(struct verify_moves *moves, const struct verify_field_in_code *field,
                               uint64_t rva);

#endif
