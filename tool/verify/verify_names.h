/* verify_names.h - marks every address in code that something may lead to.
 * Takes: code sections with relocations and functions.  Gives: the `named`, `near`, `called` and
 * `pointed` maps.
 * Must not: decide whether the bytes that name are really an instruction: a superset is wanted. */
#ifndef HVCIFIX_VERIFY_VERIFY_NAMES_H
#define HVCIFIX_VERIFY_VERIFY_NAMES_H

#include "verify/verify_code.h"

/* Sources: rel8 after 70-7F, E0-E3, EB; rel32 after E8, E9, 0F 80-8F, at every byte position; RIP-relative
 * fields; relocated pointers; begins of unwind ranges; entry point and exports. */
void verify_names_mark(struct verify_code *code);

#endif
