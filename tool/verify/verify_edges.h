/* verify_edges.h - which piece an address means.
 * Takes: an RVA of the old image and how it is used.  Gives: the distance its meaning moved by.
 * Must not: map a folded address (arr[i - 1], &arr[N]) by the section it falls in. */
#ifndef HVCIFIX_VERIFY_VERIFY_EDGES_H
#define HVCIFIX_VERIFY_VERIFY_EDGES_H

#include "verify/verify_operand.h"
#include "verify/verify_sides.h"

enum verify_address_use {
    ADDRESS_DIRECT, /* a sized access without index, a call or jump, a loader's field */
    ADDRESS_TAKEN,  /* it is not known what becomes of it */
    ADDRESS_INDEXED /* something is added to it: only what holds an array is meant */
};

enum verify_meaning {
    MEANING_OPEN,     /* not decided */
    MEANING_INFERRED, /* only one side can hold what is meant: another value in the new image is not wrong,
                       * but unproved */
    MEANING_SURE
};

/* Computes the sides, and the places near edges that code indexes. False when memory ran out. */
bool verify_edges_begin(struct verify_moves *moves);

/* True when another distance begins within EDGE_NBYTES of rva. */
bool verify_is_near_edge(const struct verify_moves *moves, uint64_t rva);

/* Something is added to the address rva: may the array that is meant lie in a piece of another distance, too
 * far away for verify_is_near_edge()? */
bool verify_array_may_be_far(struct verify_moves *moves, uint64_t rva);

/* *delta is where all parts went that may hold an array and lie within reach of a fold. False when they
 * parted. */
bool verify_only_array_distance(const struct verify_moves *moves, uint64_t rva, int64_t *delta);

/* The distance of what rva means, unless it is open. Nothing is refuted. */
enum verify_meaning verify_meaning(struct verify_moves *moves, uint64_t rva, enum verify_address_use use,
                                   int64_t *delta);

/* The same for an address that is handed on as it is, or lies in data at field_rva (UINT64_MAX: in code): it
 * is not folded past what it points into, but the end of one part may be the begin of the next, and the
 * middle of code is pointed into by tables of labels only. */
enum verify_meaning verify_handed_meaning(struct verify_moves *moves, uint64_t rva, uint64_t field_rva,
                                          int64_t *delta);

/* The same for a field in code that leads to rva: what its instruction, and what follows it, does with the
 * address decides. `uses` are its uses as resolved. */
enum verify_meaning verify_operand_meaning(struct verify_moves *moves,
                                           const struct verify_field_in_code *field,
                                           const struct verify_uses *uses, uint64_t rva, int64_t *delta);

#endif
