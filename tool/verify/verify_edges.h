/* verify_edges.h - which piece an address means.
 * Takes: an RVA of the old image and how it is used.  Gives: the distance its meaning moved by.
 * Must not: map a folded address (arr[i - 1], &arr[N]) by the section it falls in. */
#ifndef HVCIFIX_VERIFY_VERIFY_EDGES_H
#define HVCIFIX_VERIFY_VERIFY_EDGES_H

#include "verify/verify_inventory.h"
#include "verify/verify_operand.h"

/* How far a folded address may lie from what it means. An assumption that the verdict lists. */
enum { EDGE_NBYTES = 0x100 };

/* Computes both sides of each piece once. False when memory ran out. */
bool verify_edges_begin(struct verify_moves *moves);

/* True when another distance begins within EDGE_NBYTES of rva. */
bool verify_is_near_edge(const struct verify_moves *moves, uint64_t rva);

/* The distance of what rva means. `is_direct`: a sized access without index, a call or jump, a loader's
 * field. False, with nothing refuted, when it is not decided. */
bool verify_meaning(struct verify_moves *moves, uint64_t rva, bool is_direct, int64_t *delta);

#endif
