/* verify_place.h - says in words what lies at a file offset.
 * Takes: an image and an offset.  Gives: e.g. "a code byte in section INIT", "a base relocation entry".
 * Must not: judge; used for the text of a counter-example only. */
#ifndef HVCIFIX_VERIFY_VERIFY_PLACE_H
#define HVCIFIX_VERIFY_VERIFY_PLACE_H

#include "verify/verify_fields.h"

struct verify_place {
    struct verify_field field; /* header field, or {words, foff, 1} */
    uint32_t rva;              /* or UINT32_MAX */
};

struct verify_place verify_place_at(const struct verify_image *image, uint64_t foff, struct arena *arena);

#endif
