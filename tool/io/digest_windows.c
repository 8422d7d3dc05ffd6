/* digest_windows.c - digest.h by CNG (bcrypt.dll).
 * Takes: parts.  Gives: a digest.  Must not: keep anything between calls. */
#include "io/digest.h"

#include <windows.h>

#include <bcrypt.h>

bool digest_parts(enum digest_algorithm algorithm, const struct span *parts, size_t part_count,
                  uint8_t *value)
{
    BCRYPT_ALG_HANDLE provider = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    const wchar_t *name = algorithm == DIGEST_SHA1 ? BCRYPT_SHA1_ALGORITHM : BCRYPT_SHA256_ALGORITHM;
    ULONG value_nbytes = algorithm == DIGEST_SHA1 ? DIGEST_SHA1_NBYTES : DIGEST_SHA256_NBYTES;
    bool done = BCryptOpenAlgorithmProvider(&provider, name, NULL, 0) >= 0 &&
                BCryptCreateHash(provider, &hash, NULL, 0, NULL, 0, 0) >= 0;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 ||
               BCryptHashData(hash, (PUCHAR)(uintptr_t)parts[i].bytes, (ULONG)parts[i].nbytes, 0) >= 0;
    done = done && BCryptFinishHash(hash, value, value_nbytes, 0) >= 0;
    if (hash)
        BCryptDestroyHash(hash);
    if (provider)
        BCryptCloseAlgorithmProvider(provider, 0);
    return done;
}
