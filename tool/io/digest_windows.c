/* digest_windows.c - digest.h by CNG (bcrypt.dll).
 * Takes: parts.  Gives: a digest.  Must not: keep anything between calls. */
#include "io/digest.h"

#include <windows.h>

#include <bcrypt.h>

static const struct {
    const wchar_t *name;
    ULONG value_nbytes;
} algorithms[] = {[DIGEST_SHA1] = {BCRYPT_SHA1_ALGORITHM, DIGEST_SHA1_NBYTES},
                  [DIGEST_SHA256] = {BCRYPT_SHA256_ALGORITHM, DIGEST_SHA256_NBYTES},
                  [DIGEST_SHA384] = {BCRYPT_SHA384_ALGORITHM, DIGEST_SHA384_NBYTES},
                  [DIGEST_SHA512] = {BCRYPT_SHA512_ALGORITHM, DIGEST_SHA512_NBYTES}};

bool digest_parts(enum digest_algorithm algorithm, const struct span *parts, size_t part_count,
                  uint8_t *value)
{
    BCRYPT_ALG_HANDLE provider = NULL;
    BCRYPT_HASH_HANDLE hash = NULL;
    bool done = BCryptOpenAlgorithmProvider(&provider, algorithms[algorithm].name, NULL, 0) >= 0 &&
                BCryptCreateHash(provider, &hash, NULL, 0, NULL, 0, 0) >= 0;
    for (size_t i = 0; i < part_count && done; i++)
        done = parts[i].nbytes == 0 ||
               BCryptHashData(hash, (PUCHAR)(uintptr_t)parts[i].bytes, (ULONG)parts[i].nbytes, 0) >= 0;
    done = done && BCryptFinishHash(hash, value, algorithms[algorithm].value_nbytes, 0) >= 0;
    if (hash)
        BCryptDestroyHash(hash);
    if (provider)
        BCryptCloseAlgorithmProvider(provider, 0);
    return done;
}
