/* verify_bases.h - addresses near edges that code uses as the begin of an array.
 * Takes: the old image's code.  Gives: their RVAs.
 * Must not: leave out an operand because it could also be something else. */
#ifndef HVCIFIX_VERIFY_VERIFY_BASES_H
#define HVCIFIX_VERIFY_VERIFY_BASES_H

#include "verify/verify_sides.h"

/* Fills moves->bases. False when memory ran out. */
bool verify_bases_find(struct verify_moves *moves);

/* True when an array access has its base within EDGE_NBYTES of an end of the piece that is as near to rva, in
 * no piece or in one of another distance. */
bool verify_has_base_near(const struct verify_moves *moves, const struct verify_piece *piece, uint64_t rva);

#endif
