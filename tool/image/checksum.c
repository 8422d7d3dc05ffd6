/* checksum.c - the CheckSum field of the optional header.
 * Takes: the bytes of a file and where the field lies.  Gives: the value that belongs there.
 * Source of the rule: PE format specification (CheckSum); the algorithm is that of ImagHelp's
 * CheckSumMappedFile. */
#include "image/image.h"

uint32_t pe_checksum(struct span file, uint64_t checksum_foff)
{
    /* Sums of 32-bit words are congruent to sums of their halves modulo 0xFFFF, which is what the end-around
     * carry computes, so the halves are added up only once at the end. */
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 4 <= file.nbytes; i += 4)
        sum += load_u32(file.bytes + i);
    for (size_t shift = 0; i < file.nbytes; i++, shift += 8)
        sum += (uint64_t)file.bytes[i] << shift;

    /* Take the field itself out again, byte by byte, at the weight each byte had. */
    for (size_t k = 0; k < 4; k++) {
        size_t at = (size_t)checksum_foff + k;
        sum -= (uint64_t)file.bytes[at] << (8 * (at % 4));
    }
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint32_t)(sum + file.nbytes);
}
