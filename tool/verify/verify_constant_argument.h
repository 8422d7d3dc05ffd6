/* verify_constant_argument.h - is an address taken only to be handed to a kernel function, and what does it
 * do? Takes: the instruction that takes the address.  Gives: reads, writes, or not known.  Must not: follow a
 * branch, or believe a name that is not an import from the kernel.
 *
 * Drivers of all ages give string literals to RtlInitUnicodeString and its like, and the linker puts literals
 * of INIT code into INIT. That the function does not write there is its documented contract (const in the
 * kernel headers); that nobody writes through the string it made is the C language's rule for literals. Both
 * are assumed, not shown. */
#ifndef HVCIFIX_VERIFY_VERIFY_CONSTANT_ARGUMENT_H
#define HVCIFIX_VERIFY_VERIFY_CONSTANT_ARGUMENT_H

#include "verify/verify_code.h"

enum verify_argument { ARGUMENT_UNKNOWN, ARGUMENT_READ, ARGUMENT_WRITTEN };

/* The instruction at offset `at` of the section takes an address: x64 `lea` into a register, x86 `push`.
 * Known when the code behind it, up to the next call and without a branch, does nothing with it but leave it
 * as an argument of an import that is known. */
enum verify_argument verify_argument_use(struct verify_code *code, const struct verify_code_section *section,
                                         size_t at);

#endif
