/* refs_claims.h - what holds of every inventory of references; shared by the targets fuzz_refs_NAME.
 * Takes: one input, and what a family of references is.  Gives: an abort on a broken claim.
 * Must not: know any table: each target reads its own tables a second time (plain.h). */
#ifndef HVCIFIX_TESTS_FUZZ_REFS_CLAIMS_H
#define HVCIFIX_TESTS_FUZZ_REFS_CLAIMS_H

#include "plain.h"

/* What a family claims besides: most of all that a second reading of its tables agrees (plain.h). */
typedef void refs_family_claims_fn(const struct image *image);

/* Collects all sources, then the family's alone, each within a budget of work, and claims what holds of both:
 * every reference lies in the file and encodes to what is stored; none of a table is listed twice; targets
 * are what their state says; a source gives the same references whoever else is asked. Then the family's own
 * claims. Always 0. */
int refs_claims(const uint8_t *data, size_t nbytes, uint32_t sources, refs_family_claims_fn *claims);

#endif
