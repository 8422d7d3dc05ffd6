/* verify_fields.h - the name of each header field.
 * Takes: an image and a file offset inside its headers.  Gives: the field that holds this byte.
 * Must not: judge what the field says. */
#ifndef HVCIFIX_VERIFY_VERIFY_FIELDS_H
#define HVCIFIX_VERIFY_VERIFY_FIELDS_H

#include "verify/verify_image.h"

struct verify_field {
    const char *name; /* in the arena or static */
    uint64_t foff;
    uint32_t nbytes; /* 1, 2, 4 or 8: a number; otherwise a stretch of bytes */
};

/* The header field at foff, which lies before the end of the section table or of SizeOfHeaders. Bytes that no
 * field covers are named as such ("DOS stub", "header slack"). False when foff is past the headers. */
bool verify_field_at(const struct verify_image *image, uint64_t foff, struct arena *arena,
                     struct verify_field *field);

/* Names data directory `index`, e.g. "base relocations". */
const char *verify_directory_name(uint32_t index);

#endif
