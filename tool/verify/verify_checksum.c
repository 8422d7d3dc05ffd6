/* verify_checksum.c - computes and judges CheckSum.
 * Takes: both images.  Gives: an explained difference or a counter-example.  Must not: accept 0 for "none"
 * in a file that was rewritten. */
#include "verify/verify_checksum.h"

/* One's complement sum of the file's little-endian 16-bit words with the four bytes of CheckSum taken as
 * zero (an odd last byte is the low byte of a word), plus the length of the file: what the kernel's
 * image loader and imagehlp compare. */
uint32_t verify_checksum_of(struct span file, uint64_t checksum_foff)
{
    const uint8_t *bytes = file.bytes;
    size_t nbytes = file.nbytes;
    /* Plain 64-bit sum, folded once at the end: the end-around carry of 16-bit addition gives the same
     * result, because both are the sum modulo 65535 with 65535 (not 0) for non-zero multiples. */
    uint64_t sum = 0;
    for (size_t i = 0; i + 1 < nbytes; i += 2)
        sum += load_u16(bytes + i);
    if (nbytes & 1)
        sum += bytes[nbytes - 1];
    for (uint64_t i = checksum_foff; i < checksum_foff + 4; i++)
        sum -= (uint64_t)bytes[i] << (i & 1 ? 8 : 0);
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint32_t)(sum + nbytes);
}

bool verify_checksum(struct verify_case *judged)
{
    const struct verify_image *old_image = &judged->old_image, *new_image = &judged->new_image;
    uint32_t right = verify_checksum_of(new_image->file, new_image->checksum_foff);
    if (new_image->stored_checksum != right)
        return verify_refute(judged, verify_spot_foff(judged, new_image->checksum_foff),
                             "The header field CheckSum is 0x%X, but the checksum of the new file is 0x%X.",
                             (unsigned)new_image->stored_checksum, (unsigned)right);
    if (new_image->stored_checksum == old_image->stored_checksum)
        return true;
    return verify_explain(judged, &(struct verify_difference){
                                      .field = "CheckSum",
                                      .file_offset = new_image->checksum_foff,
                                      .old_value = old_image->stored_checksum,
                                      .new_value = new_image->stored_checksum,
                                      .width_nbytes = 4,
                                      .why_allowed = "it is the checksum of the new file, computed anew",
                                  });
}
