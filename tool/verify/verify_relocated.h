/* verify_relocated.h - the two halves of the look at base relocations: what relocated fields mean, and
 * whether the new table is the one that it has to be. Takes: see each.  Gives: fields, or a counter-example.
 * Must not: be used but by verify_moved_relocations.c. */
#ifndef HVCIFIX_VERIFY_VERIFY_RELOCATED_H
#define HVCIFIX_VERIFY_VERIFY_RELOCATED_H

#include "verify/verify_references.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"

/* Adds a field for the address at relocation->rva of the old image, which lies whole in `piece`. False when
 * refuted, not shown or out of memory. */
bool verify_relocated_address(struct verify_moves *moves, const struct verify_relocation *relocation,
                              const struct verify_piece *piece);

/* The new table has exactly these relocations, ascending by RVA, in one block a page. */
bool verify_relocations_are(struct verify_moves *moves, const struct verify_site *sites, size_t count);

/* The new table holds nothing but relocations and what aligns its blocks. */
bool verify_relocations_are_plain(struct verify_case *judged);

#endif
