/* literals.h - string literals that a compiler has put between code.
 * Takes: an image, its code map, an address.  Gives: yes and the size, or no.  Must not: take a variable that
 * holds text for a literal where the bytes tell them apart.
 *
 * Compilers for drivers put the literals of a function beside its code (the driver kits' -cbstring): into
 * .text, PAGE and INIT. */
#ifndef HVCIFIX_CODE_LITERALS_H
#define HVCIFIX_CODE_LITERALS_H

#include "code/code_map.h"

enum { LEAST_NAMED_LITERAL_NBYTES = 6 }; /* too long to be there by chance, where an address leads to it */

/* The size of the literal at offset `at` of a section's bytes, with the class of each; 0: there is none. */
uint32_t literal_nbytes(struct span bytes, const uint8_t *classes, size_t at);

/* A literal begins at rva in an executable section: at least two printable characters of one or two bytes, a
 * zero, at most 15 zeros more (a buffer has more room), no text right before it, and nothing of it is decoded
 * code. *nbytes counts the first zero in. */
bool code_literal_at(const struct image *image, const struct code_map *code, uint32_t rva, uint32_t *nbytes);

/* Calls the literals data that some address in `refs` names and that are long enough not to be there by
 * chance, where nothing else is known of their bytes. Work linear in the references. */
void literals_classify(const struct image *image, const struct refset *refs, struct code_map *code);

#endif
