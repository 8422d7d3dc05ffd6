/* verify_moved_bytes.h - the byte-by-byte part of the proof for moved images.
 * Takes: struct verify_moves with all fields.  Gives: true, or the first byte that is not explained.
 * Must not: be given freedom: what a field must hold is already decided. */
#ifndef HVCIFIX_VERIFY_VERIFY_MOVED_BYTES_H
#define HVCIFIX_VERIFY_VERIFY_MOVED_BYTES_H

#include "verify/verify_inventory.h"

/* Sorts the fields and drops repetitions. False when two disagree. */
bool verify_sort_fields(struct verify_moves *moves);

/* Old bytes at their mapped places; new bytes from the old image, or padding, or rebuilt relocations. */
bool verify_moved_bytes(struct verify_moves *moves);

#endif
