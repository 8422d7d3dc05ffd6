/* verify_function_reach.h - how far from an address that it takes one function can get by adding constants.
 * Takes: a clean function.  Gives: a distance in bytes that no address in it is away from the one it comes
 * from.  Must not: be less than what verify_follow() finds; it is there to spare its walk. */
#ifndef HVCIFIX_VERIFY_VERIFY_FUNCTION_REACH_H
#define HVCIFIX_VERIFY_VERIFY_FUNCTION_REACH_H

#include "verify/verify_code.h"

/* The sum of all that its instructions add to registers and of all displacements behind registers, twice: a
 * way may pass an instruction again, with the address in another register. UINT32_MAX: no bound is known. */
uint32_t verify_function_reach(struct verify_code *code, struct verify_function *function);

#endif
