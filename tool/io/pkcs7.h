/* pkcs7.h - the digest inside an Authenticode signature.
 * Takes: the bytes of a PKCS#7 message.  Gives: which algorithm, and the digest.
 * Must not: verify signatures or certificates, or read past the message. */
#ifndef HVCIFIX_IO_PKCS7_H
#define HVCIFIX_IO_PKCS7_H

#include "io/digest.h"

struct pkcs7_digest {
    enum digest_algorithm algorithm;
    const char *algorithm_name; /* "SHA-256" */
    struct span value;          /* in the message */
};

/* Reads SignedData / SpcIndirectDataContent / messageDigest (Windows Authenticode Portable Executable
 * Signature Format; DER). False with *problem, a sentence with its period, when it is not there. */
bool pkcs7_read_digest(struct span message, struct pkcs7_digest *digest, const char **problem);

#endif
