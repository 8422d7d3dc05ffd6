/* verify_text_literal.h - do the bytes at an RVA look like a string literal that a compiler put among code?
 * Takes: an image and an RVA.  Gives: yes, or no.  Must not: take the begin of a larger buffer for a literal.
 *
 * With -cbstring, which Microsoft's driver kits used, literals of a function lie beside its code, in INIT as
 * well. That nobody writes to a literal is the C language's rule; it is assumed. */
#ifndef HVCIFIX_VERIFY_VERIFY_TEXT_LITERAL_H
#define HVCIFIX_VERIFY_VERIFY_TEXT_LITERAL_H

#include "verify/verify_image.h"

/* Bytes of the text at rva with its zero, whatever follows; 0 when there is none. */
size_t verify_text_nbytes(const struct verify_image *image, uint64_t rva, uint64_t *step_count);

/* Printable characters of one or two bytes up to a zero, behind which at most the fill of an alignment
 * follows: a buffer that begins with text has more room than that. Adds what was looked at to *step_count. */
bool verify_is_text_literal(const struct verify_image *image, uint64_t rva, uint64_t *step_count);

#endif
