/* authenticode.h - the digest that signatures and catalogs hold for an image.
 * Takes: struct image.  Gives: a digest by any algorithm of digest.h.  Must not: read certificates. */
#ifndef HVCIFIX_IO_AUTHENTICODE_H
#define HVCIFIX_IO_AUTHENTICODE_H

#include "image/image.h"
#include "io/digest.h"

struct authenticode_digests {
    uint8_t sha1[DIGEST_SHA1_NBYTES];
    uint8_t sha256[DIGEST_SHA256_NBYTES];
};

/* The digest covers the file but for CheckSum, the security directory entry and the certificate table, padded
 * with zeros to 8 bytes (PE format specification, "Attribute Certificate Table"). False when the platform's
 * cryptographic library refuses an algorithm. */
bool authenticode_digest_by(const struct image *image, enum digest_algorithm algorithm, uint8_t *value);

/* The two that catalogs hold. */
bool authenticode_digest(const struct image *image, struct authenticode_digests *digests);

#endif
