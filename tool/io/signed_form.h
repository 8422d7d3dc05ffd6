/* signed_form.h - is a file the signed form of another, and nothing else?
 * Takes: an image without certificates, and what a signer has made of it.  Gives: an answer with its reason.
 * Must not: judge who has signed, or certificates. */
#ifndef HVCIFIX_IO_SIGNED_FORM_H
#define HVCIFIX_IO_SIGNED_FORM_H

#include "base/arena.h"
#include "base/span.h"

/* True when `after` is `before` but for CheckSum, the security directory entry, and what stands behind the
 * end of `before`: zeros up to a multiple of 8, then certificates, which are what the entry names; and when
 * CheckSum is right and every certificate entry holds the digest of the file (PE format specification, "The
 * Attribute Certificate Table"). False with *problem, a sentence, and *foff, the first place that differs or
 * NO_FILE_OFFSET; with *problem NULL when memory ran out. */
bool signed_form_is_right(struct span before, struct span after, struct arena *arena, uint64_t *foff,
                          const char **problem);

#endif
