/* authenticode.c - the parts of an image that a signature covers, hashed.
 * Takes: struct image.  Gives: digests.  Must not: hash what the format leaves out. */
#include "io/authenticode.h"

enum { SIGNED_ALIGNMENT_NBYTES = 8 };

bool authenticode_digest_by(const struct image *image, enum digest_algorithm algorithm, uint8_t *value)
{
    static const uint8_t zeros[SIGNED_ALIGNMENT_NBYTES];
    const uint8_t *bytes = image->file.bytes;
    size_t checksum_foff = image->opt_foff + OPT_CHECK_SUM;
    size_t after_checksum_foff = checksum_foff + 4;
    size_t entry_foff = image->directories[DIR_SECURITY].entry_foff;
    size_t after_entry_foff = entry_foff + DIRECTORY_ENTRY_NBYTES;
    if (entry_foff == 0) /* the header has no security directory: nothing is left out there */
        entry_foff = after_entry_foff = after_checksum_foff;
    size_t end_foff = image->file.nbytes;
    const struct directory *security = image_directory(image, DIR_SECURITY);
    if (security && security->rva < end_foff && security->rva >= after_entry_foff)
        end_foff = security->rva;

    struct span parts[] = {
        {bytes, checksum_foff},
        {bytes + after_checksum_foff, entry_foff - after_checksum_foff},
        {bytes + after_entry_foff, end_foff - after_entry_foff},
        {zeros, -end_foff & (SIGNED_ALIGNMENT_NBYTES - 1)},
    };
    return digest_parts(algorithm, parts, sizeof parts / sizeof parts[0], value);
}

bool authenticode_digest(const struct image *image, struct authenticode_digests *digests)
{
    return authenticode_digest_by(image, DIGEST_SHA1, digests->sha1) &&
           authenticode_digest_by(image, DIGEST_SHA256, digests->sha256);
}
