/* verify_stub.h - the form of a start-up stub.
 * Takes: where one must be.  Gives: its flag and table in struct verify_repairs, or a counter-example.
 * Must not: decide whether an image may have one (verify_stub_entries.c does). */
#ifndef HVCIFIX_VERIFY_VERIFY_STUB_H
#define HVCIFIX_VERIFY_VERIFY_STUB_H

#include "verify/verify_repairs.h"

/* The stub at rva of the new image, for the function at function_rva of the old one. False when refuted or
 * out of memory. */
bool verify_stub_read(struct verify_moves *moves, uint32_t rva, uint32_t function_rva, const char *what);

/* nbytes bytes at rva of the new image lie in one section, not paged by name, that has all `rights` and none
 * of `no_rights`. Refutes otherwise. */
bool verify_stays_there(struct verify_moves *moves, uint32_t rva, uint64_t nbytes, uint32_t rights,
                        uint32_t no_rights, const char *what);

#endif
