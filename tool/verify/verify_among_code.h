/* verify_among_code.h - addresses among instructions that code takes, or adds something to.
 * Takes: a field in code and where it leads.  Gives: a function or label, or what else is meant.
 * Must not: take an address for that of code because code is there. */
#ifndef HVCIFIX_VERIFY_VERIFY_AMONG_CODE_H
#define HVCIFIX_VERIFY_VERIFY_AMONG_CODE_H

#include "verify/verify_edges.h"

/* rva lies among the instructions of a function, and is not its begin, and data may be meant that went
 * elsewhere: the structure around a list's head, or an array whose index does not begin with zero. */
bool verify_is_among_code(struct verify_moves *moves, uint64_t rva);

/* What such an address means that the operand at `field` takes. */
enum verify_meaning verify_among_code_meaning(struct verify_moves *moves,
                                              const struct verify_field_in_code *field, uint64_t rva,
                                              int64_t *delta);

/* rva is where decoded code begins a function: by unwind data, a call, or the end of code before it. */
bool verify_is_function(struct verify_moves *moves, uint64_t rva);

/* Code does not come to the instruction at `at` from the one before; `begin` is where its function begins. */
bool verify_follows_an_end(const struct verify_code *code, const struct verify_code_section *section,
                           size_t begin, size_t at);

/* `at` lies in an instruction of a function that is known to its end; its tables are none. */
bool verify_is_in_instruction(struct verify_moves *moves, const struct verify_code_section *section,
                              size_t at);

/* The one distance of all that may hold arrays, when code within reach of rva has no room for one. */
bool verify_is_one_distance(struct verify_moves *moves, uint64_t rva, int64_t *delta);

#endif
