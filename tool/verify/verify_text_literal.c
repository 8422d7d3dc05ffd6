/* verify_text_literal.c - recognises text.
 * Takes: see the header.  Gives: yes, or no.  Must not: look farther than a fixed number of bytes. */
#include "verify/verify_text_literal.h"

enum {
    MOST_CHARACTERS = 1024,
    FEWEST_NARROW = 4, /* fewer are too often something else */
    FEWEST_WIDE = 2,
    MOST_FILL_NBYTES = 7 /* zeros behind the terminator, up to a multiple of 8 */
};

static bool is_text(uint32_t character)
{
    return (character >= ' ' && character <= '~') || character == '\t' || character == '\n' ||
           character == '\r';
}

/* Bytes of the text with its terminator; 0 when it is none. */
static size_t text_nbytes(struct span bytes, unsigned width_nbytes, unsigned fewest, uint64_t *step_count)
{
    for (unsigned count = 0; count < MOST_CHARACTERS; count++) {
        size_t at = (size_t)count * width_nbytes;
        if (!range_fits(bytes.nbytes, at, width_nbytes))
            return 0;
        ++*step_count;
        uint32_t character = width_nbytes == 1 ? bytes.bytes[at] : load_u16(bytes.bytes + at);
        if (character == 0)
            return count >= fewest ? at + width_nbytes : 0;
        if (!is_text(character))
            return 0;
    }
    return 0;
}

size_t verify_text_nbytes(const struct verify_image *image, uint64_t rva, uint64_t *step_count)
{
    struct span bytes = verify_bytes_at(image, rva);
    size_t nbytes = text_nbytes(bytes, 1, FEWEST_NARROW, step_count);
    if (nbytes == 0 && rva % 2 == 0)
        nbytes = text_nbytes(bytes, 2, FEWEST_WIDE, step_count);
    return nbytes;
}

bool verify_is_text_literal(const struct verify_image *image, uint64_t rva, uint64_t *step_count)
{
    struct span bytes = verify_bytes_at(image, rva);
    size_t nbytes = verify_text_nbytes(image, rva, step_count);
    if (nbytes == 0)
        return false;
    size_t fill_nbytes = 0;
    while (fill_nbytes <= MOST_FILL_NBYTES && range_fits(bytes.nbytes, nbytes + fill_nbytes, 1) &&
           bytes.bytes[nbytes + fill_nbytes] == 0)
        fill_nbytes++;
    return fill_nbytes <= MOST_FILL_NBYTES && range_fits(bytes.nbytes, nbytes + fill_nbytes, 1);
}
