/* fingerprint.h - what makes a finding the same finding in another build of the image.
 * Takes: findings about one image.  Gives: one word for each.  Must not: look at offsets, addresses or times:
 * they change with every build. Nor at names that are given
 * besides the image (--symbols): runs with them and without have the same fingerprints.
 *
 * A fingerprint is made of the rule, the image's file name (without folders and case), its machine, the
 * section, for a call also the function of Windows, the driver's function where the image names it and the
 * pool tag, and a number where several findings share all of these. */
#ifndef HVCIFIX_POLICY_FINGERPRINT_H
#define HVCIFIX_POLICY_FINGERPRINT_H

#include "image/image.h"

enum { FINGERPRINT_CHARS = 32 };

struct fingerprint {
    char chars[FINGERPRINT_CHARS + 1]; /* hexadecimal */
};

/* One for each finding of the list, in its order. `image` may be NULL: there is no model of it. NULL when
 * memory ran out. */
struct fingerprint *fingerprints_of(const struct finding_list *findings, const char *path,
                                    const struct image *image, struct arena *arena);

#endif
