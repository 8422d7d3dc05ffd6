/* verify_return_address.h - code that computes with its return address, or stores through it.
 * Takes: the code of an image.  Gives: the instruction, or none.
 * Must not: object to a return address that is only handed on (_ReturnAddress) or returned to. */
#ifndef HVCIFIX_VERIFY_VERIFY_RETURN_ADDRESS_H
#define HVCIFIX_VERIFY_VERIFY_RETURN_ADDRESS_H

#include "verify/verify_code.h"

/* What begins where a function or the target of a call does reads the address behind the call (pop, or mov
 * from the place on the stack), or takes its own address by fnstenv; and then stores through it, adds to it,
 * reads far from it, or, with `counts_returned`, returns it. *rva is the instruction that does. */
bool verify_return_address_used(struct verify_code *code, bool counts_returned, uint32_t *rva);

#endif
