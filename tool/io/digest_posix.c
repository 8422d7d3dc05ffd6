/* digest_posix.c - digest.h by libcrypto.
 * Takes: parts.  Gives: a digest.  Must not: keep anything between calls. */
#include "io/digest.h"

#include <openssl/evp.h>

bool digest_parts(enum digest_algorithm algorithm, const struct span *parts, size_t part_count,
                  uint8_t *value)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context &&
                EVP_DigestInit_ex(context, algorithm == DIGEST_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 || EVP_DigestUpdate(context, parts[i].bytes, parts[i].nbytes) == 1;
    done = done && EVP_DigestFinal_ex(context, value, NULL) == 1;
    EVP_MD_CTX_free(context);
    return done;
}
