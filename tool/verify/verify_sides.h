/* verify_sides.h - which ends of the pieces hold no arrays.
 * Takes: the map and what is known of the old image.  Gives: one answer for each end.
 * Must not: decide what an address means. */
#ifndef HVCIFIX_VERIFY_VERIFY_SIDES_H
#define HVCIFIX_VERIFY_VERIFY_SIDES_H

#include "verify/verify_inventory.h"

/* How far a folded address may lie from what it means. An assumption that the verdict lists. */
enum { EDGE_NBYTES = 0x100 };

/* EDGE_NBYTES bytes at an end are decoded code, typed tables or padding; deep: twice as many. */
enum { SIDE_BEGIN = 1, SIDE_END = 2, SIDE_BEGIN_DEEP = 4, SIDE_END_DEEP = 8 };

/* Computes the sides of each piece once, behind verify_inert_join(). False when memory ran out. */
bool verify_sides_find(struct verify_moves *moves);

bool verify_side_is_inert(const struct verify_moves *moves, const struct verify_piece *piece, unsigned side);

#endif
