/* digest.h - SHA-1 and SHA-2 by the platform's own library.
 * Takes: ranges of bytes in order.  Gives: digests.  Must not: implement a hash.
 * digest_posix.c uses libcrypto, digest_windows.c CNG. */
#ifndef HVCIFIX_IO_DIGEST_H
#define HVCIFIX_IO_DIGEST_H

#include "base/span.h"

enum digest_algorithm { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };
enum {
    DIGEST_SHA1_NBYTES = 20,
    DIGEST_SHA256_NBYTES = 32,
    DIGEST_SHA384_NBYTES = 48,
    DIGEST_SHA512_NBYTES = 64,
    DIGEST_MOST_NBYTES = 64
};

/* The digest of all parts, one after the other. `value` has room for the algorithm's size. False when the
 * platform refuses the algorithm. */
bool digest_parts(enum digest_algorithm algorithm, const struct span *parts, size_t part_count,
                  uint8_t *value);

#endif
