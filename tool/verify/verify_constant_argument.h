/* verify_constant_argument.h - is an address taken only to be handed to a kernel function, and what does it
 * do? Takes: the instruction that takes the address.  Gives: reads, writes, or not known.  Must not: follow a
 * branch, or believe a name that is not an import from the kernel.
 *
 * That a function does not write where it is documented only to read (const in the kernel headers) is
 * assumed. RtlInitUnicodeString and its like are none of these: the structure that they fill leads to the
 * text. */
#ifndef HVCIFIX_VERIFY_VERIFY_CONSTANT_ARGUMENT_H
#define HVCIFIX_VERIFY_VERIFY_CONSTANT_ARGUMENT_H

#include "verify/verify_code.h"

enum verify_argument { ARGUMENT_UNKNOWN, ARGUMENT_READ, ARGUMENT_WRITTEN };

/* What the kernel's function of that name does with an argument, from 1 to 8 (verify_known_argument.c). */
enum verify_argument verify_known_argument(const char *name, unsigned argument);

/* The instruction at offset `at` of the section takes an address: x64 `lea` into a register, x86 `push`.
 * Known when the code behind it, up to the next call and without a branch, does nothing with it but leave it
 * as an argument of an import that is known. */
enum verify_argument verify_argument_use(struct verify_code *code, const struct verify_code_section *section,
                                         size_t at);

/* The call at offset `at` of the section reaches an import that is known to write through that argument, from
 * 1. */
bool verify_argument_is_written(struct verify_code *code, const struct verify_code_section *section,
                                size_t at, unsigned argument);

/* The address goes to a function RtlInit... with a structure on the stack, and behind the call, on the
 * straight way, a character is stored through the Buffer that is loaded from there. */
bool verify_is_written_string(struct verify_code *code, const struct verify_code_section *section, size_t at);

#endif
