/* signed_form.c - signed_form.h.
 * Takes: two files.  Gives: an answer.  Must not: accept a difference that is not named here. */
#include "io/signed_form.h"

#include "image/image.h"
#include "io/signature_read.h"

/* The first place of the common part at which they differ, but for [skip, skip + nbytes) twice. */
static uint64_t first_difference(struct span before, struct span after, uint64_t checksum_foff,
                                 uint64_t entry_foff)
{
    for (uint64_t at = 0; at < before.nbytes; at++) {
        bool is_left_out = (at >= checksum_foff && at < checksum_foff + 4) ||
                           (at >= entry_foff && at < entry_foff + DIRECTORY_ENTRY_NBYTES);
        if (!is_left_out && (at >= after.nbytes || before.bytes[at] != after.bytes[at]))
            return at;
    }
    return NO_FILE_OFFSET;
}

static bool say(const char **problem, uint64_t *foff, const char *words, uint64_t at)
{
    *problem = words;
    *foff = at;
    return false;
}

static bool table_is_right(struct span before, const struct image *image, uint64_t *foff,
                           const char **problem)
{
    const struct directory *security = image_directory(image, DIR_SECURITY);
    struct span gap, rest;
    if (!security || security->nbytes == 0)
        return say(problem, foff, "The signer has not signed it: it has no certificate table.",
                   NO_FILE_OFFSET);
    uint64_t end = (uint64_t)security->rva + security->nbytes;
    if (security->rva < before.nbytes || security->rva - before.nbytes >= CERTIFICATE_ALIGN_NBYTES ||
        !span_part(image->file, before.nbytes, security->rva - before.nbytes, &gap) ||
        !span_is_filled(gap, 0) || end > image->file.nbytes ||
        !span_part(image->file, end, image->file.nbytes - end, &rest) ||
        rest.nbytes >= CERTIFICATE_ALIGN_NBYTES || !span_is_filled(rest, 0))
        return say(problem, foff, "The signer has put more than a certificate table behind it.",
                   before.nbytes);
    return true;
}

bool signed_form_is_right(struct span before, struct span after, struct arena *arena, uint64_t *foff,
                          const char **problem)
{
    struct image old_image, new_image;
    struct finding error;
    struct signature_facts facts;
    *problem = NULL;
    *foff = NO_FILE_OFFSET;
    if (!image_read(before, arena, &old_image, &error))
        return arena->exhausted ? false : say(problem, foff, "It is no image that could be signed.", *foff);
    uint64_t checksum_foff = (uint64_t)old_image.opt_foff + OPT_CHECK_SUM;
    uint64_t entry_foff = old_image.directories[DIR_SECURITY].entry_foff;
    if (entry_foff == 0)
        return say(problem, foff, "Its header has no place for a signature.", *foff);
    uint64_t difference = first_difference(before, after, checksum_foff, entry_foff);
    if (difference != NO_FILE_OFFSET)
        return say(problem, foff, "The signer has changed more than a signature needs.", difference);
    if (!image_read(after, arena, &new_image, &error))
        return arena->exhausted
                   ? false
                   : say(problem, foff, "What the signer has written is no image that can be read.", *foff);
    if (!table_is_right(before, &new_image, foff, problem))
        return false;
    if (new_image.stored_checksum != pe_checksum(after, checksum_foff))
        return say(problem, foff, "The signer has left a wrong CheckSum in the header.", checksum_foff);
    signature_read(NULL, &new_image, ASK_DIGEST, arena, &facts);
    if (arena->exhausted)
        return false;
    if (facts.state == SIGNATURE_UNREADABLE)
        return say(problem, foff, facts.reason, facts.certificate_foff);
    if (facts.state != SIGNATURE_CURRENT)
        return say(problem, foff, "The signature holds the digest of another file.", facts.certificate_foff);
    return true;
}
