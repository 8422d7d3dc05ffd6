/* verify_checksum.h - the image checksum, computed by the verifier itself.
 * Takes: an image.  Gives: the number that belongs into OptionalHeader.CheckSum.
 * Must not: share code with the part that writes it. */
#ifndef HVCIFIX_VERIFY_VERIFY_CHECKSUM_H
#define HVCIFIX_VERIFY_VERIFY_CHECKSUM_H

#include "verify/verify_case.h"

/* One's complement sum of the file's little-endian 16-bit words with the four bytes of CheckSum taken as
 * zero (an odd last byte is the low byte of a word), plus the length of the file: what the kernel's
 * image loader and imagehlp compare. */
uint32_t verify_checksum_of(const struct verify_image *image);

/* The new image, once anything changed, must carry the right checksum: a driver with a wrong one is not
 * loaded. Refutes otherwise; explains the field when it changed. */
bool verify_checksum(struct verify_case *judged);

#endif
