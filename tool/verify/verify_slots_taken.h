/* verify_slots_taken.h - addresses of import slots, and close to them, that are taken.
 * Takes: struct verify_moves.  Gives: true, or the address whose meaning is not shown.
 * Must not: object to calls and loads through a slot, or to what has a meaning of its own there. */
#ifndef HVCIFIX_VERIFY_VERIFY_SLOTS_TAKEN_H
#define HVCIFIX_VERIFY_VERIFY_SLOTS_TAKEN_H

#include "verify/verify_edges.h"

/* Where slots moved otherwise than what lies around them: an address of a slot has to be read through first
 * (another object's address, less the place of a member, may fall on a slot by chance), and one in front of
 * the slots or right behind them must not be computed with, or stand in data, unless a text, a function or a
 * label is there. */
bool verify_slots_taken(struct verify_moves *moves);

#endif
