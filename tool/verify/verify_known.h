/* verify_known.h - one bit for each byte of the old image's raw data: is it in a field or table that is
 * known? Takes: struct verify_moves with all fields.  Gives: the bits.  Must not: guess. */
#ifndef HVCIFIX_VERIFY_VERIFY_KNOWN_H
#define HVCIFIX_VERIFY_VERIFY_KNOWN_H

#include "verify/verify_inventory.h"

struct verify_known {
    struct verify_moves *moves;
    uint8_t **bits; /* by section index */
};

/* No bit is set. False when memory ran out. */
bool verify_known_empty(struct verify_moves *moves, struct verify_known *known);

/* Marks typed tables and all fields. False when memory ran out. */
bool verify_known_begin(struct verify_moves *moves, struct verify_known *known);

/* Sets the bits of [rva, end_rva), as far as it has raw data. */
void verify_known_mark(const struct verify_known *known, uint64_t rva, uint64_t end_rva);

/* Is one of the nbytes bytes at `at` of the section's raw data known? They are inside it. */
bool verify_known_any(const struct verify_known *known, const struct verify_section *section, size_t at,
                      size_t nbytes);

#endif
