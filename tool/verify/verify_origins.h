/* verify_origins.h - where a value comes from: the definitions of a register that reach an instruction.
 * Takes: clean code, and all direct branches in it.  Gives: answers about a comparison or an index.
 * Must not: answer yes when some way to the instruction is not known. */
#ifndef HVCIFIX_VERIFY_VERIFY_ORIGINS_H
#define HVCIFIX_VERIFY_VERIFY_ORIGINS_H

#include "verify/verify_registers.h"

/* `compared` is an operand of the comparison `full` at `at`. True when it is asked for equality only, and
 * what is compared comes, on every way, out of memory that is not the stack, from a call, or is a constant:
 * a pointer that something put there, not one that runs through an array. */
bool verify_is_compared_pointer(struct verify_code *code, const struct verify_code_section *section,
                                size_t at, const struct verify_full *full,
                                const ZydisDecodedOperand *compared);

/* The values that the register `number` may have before the instruction at `at`: *high is the greatest, as an
 * unsigned number. False when some way to it does not bound them. */
bool verify_register_bound(struct verify_code *code, const struct verify_code_section *section, size_t at,
                           int number, uint64_t *high);

#endif
