/* verify_rva_numbers.h - numbers that may be RVAs of data that moved.
 * Takes: struct verify_moves with all fields.  Gives: the place of one, or none.
 * Must not: be asked where code moved, and with it the base that code forms. */
#ifndef HVCIFIX_VERIFY_VERIFY_RVA_NUMBERS_H
#define HVCIFIX_VERIFY_VERIFY_RVA_NUMBERS_H

#include "verify/verify_inventory.h"

/* *is_found: no known field, and no part of a table, but it may be such an RVA; the first is at *rva of the
 * old image. False when memory ran out. */
bool verify_rva_numbers_find(struct verify_moves *moves, bool *is_found, uint32_t *rva);

/* The four bytes at `at` of code may be an immediate or displacement of an instruction, but for distances. */
bool verify_number_may_be_operand(struct verify_moves *moves, const struct verify_code_section *section,
                                  size_t at);

/* The old image has names of type descriptors of Visual C++: on x64, RVAs in data lead to them, for a runtime
 * that may lie in another image. */
bool verify_holds_type_names(struct verify_moves *moves);

#endif
