/* verify_checksum.h - the image checksum, computed by the verifier itself.
 * Takes: both images.  Gives: an explained difference, or a counter-example.
 * Must not: share code with the part that writes it. */
#ifndef HVCIFIX_VERIFY_VERIFY_CHECKSUM_H
#define HVCIFIX_VERIFY_VERIFY_CHECKSUM_H

#include "verify/verify_case.h"

/* The new image, once anything changed, must carry the right checksum: a driver with a wrong one is not
 * loaded. Refutes otherwise; explains the field when it changed. */
bool verify_checksum(struct verify_case *judged);

/* The checksum that belongs into a file whose CheckSum field lies at checksum_foff. */
uint32_t verify_checksum_of(struct span file, uint64_t checksum_foff);

#endif
