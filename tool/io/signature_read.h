/* signature_read.h - what is known about an image's signature.
 * Takes: the image's path and model.  Gives: struct signature_facts for the rules.
 * Must not: judge, or verify certificates. */
#ifndef HVCIFIX_IO_SIGNATURE_READ_H
#define HVCIFIX_IO_SIGNATURE_READ_H

#include "image/image.h"
#include "rules/signature.h"

enum signature_question {
    ASK_CATALOG = 1, /* is there a catalog beside an image without a certificate table? */
    ASK_DIGEST = 2   /* is the digest in the certificate table that of the file? */
};

/* Looks at what is asked (a sum of the questions). `path` is NULL for an image that is no file of its own.
 * Texts live in the arena. */
void signature_read(const char *path, const struct image *image, unsigned questions, struct arena *arena,
                    struct signature_facts *facts);

#endif
