/* digest_posix.c - digest.h by libcrypto.
 * Takes: parts.  Gives: a digest.  Must not: keep anything between calls.
 * By the plain functions of each hash, not by EVP: linked statically they bring 40 KiB and no start-up work,
 * where EVP brings all of libcrypto, whose loading would take longer than judging an image. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "io/digest.h"

#include <openssl/sha.h>

static bool sha1_parts(const struct span *parts, size_t part_count, uint8_t *value)
{
    SHA_CTX context;
    bool done = SHA1_Init(&context) == 1;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 || SHA1_Update(&context, parts[i].bytes, parts[i].nbytes) == 1;
    return done && SHA1_Final(value, &context) == 1;
}

static bool sha256_parts(const struct span *parts, size_t part_count, uint8_t *value)
{
    SHA256_CTX context;
    bool done = SHA256_Init(&context) == 1;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 || SHA256_Update(&context, parts[i].bytes, parts[i].nbytes) == 1;
    return done && SHA256_Final(value, &context) == 1;
}

/* Both share one context. */
static bool sha512_parts(bool is_384, const struct span *parts, size_t part_count, uint8_t *value)
{
    SHA512_CTX context;
    bool done = (is_384 ? SHA384_Init(&context) : SHA512_Init(&context)) == 1;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 || SHA512_Update(&context, parts[i].bytes, parts[i].nbytes) == 1;
    return done && (is_384 ? SHA384_Final(value, &context) : SHA512_Final(value, &context)) == 1;
}

bool digest_parts(enum digest_algorithm algorithm, const struct span *parts, size_t part_count,
                  uint8_t *value)
{
    switch (algorithm) {
    case DIGEST_SHA1:
        return sha1_parts(parts, part_count, value);
    case DIGEST_SHA256:
        return sha256_parts(parts, part_count, value);
    case DIGEST_SHA384:
    case DIGEST_SHA512:
        break;
    }
    return sha512_parts(algorithm == DIGEST_SHA384, parts, part_count, value);
}
