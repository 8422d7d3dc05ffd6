/* verify_map_runs.h - runs of bytes that are gone from executable pieces.
 * Takes: the executable pieces where they are now.  Gives: the runs in whose old place filling stands.
 * Must not: say where they went.
 *
 * A byte is gone when filling stands in its place and it was none. A byte that was int3 itself says nothing:
 * it belongs to the run beside it when the run's new place has it too. */
#ifndef HVCIFIX_VERIFY_VERIFY_MAP_RUNS_H
#define HVCIFIX_VERIFY_VERIFY_MAP_RUNS_H

#include "verify/verify_map_internal.h"

struct map_run {
    uint64_t rva, end_rva;            /* of the old image */
    const struct verify_piece *piece; /* that it leaves */
    const struct verify_piece *slots; /* beside it, or NULL */
    int64_t delta;                    /* once it has a place: how far it moved */
    bool is_found;                    /* it has one */
};

struct map_runs {
    struct map_run *items;
    size_t count, capacity;
};

/* Appends the runs of the piece, ascending. Where bytes are gone, but too few to be looked for, the section
 * becomes doubtful. False when memory ran out. */
bool map_runs_find(struct map_search *search, const struct verify_piece *piece, struct map_runs *list);

/* No jump in front explains the filling: bytes have left. (On x86 an instruction that is executed from a copy
 * leaves a jump, and filling behind it.) */
bool map_run_is_lost(const struct map_search *search, const struct map_run *run);

/* Takes in the int3 bytes beside the run that went with it, by its delta. */
void map_run_widen(const struct map_search *search, struct map_run *run);

#endif
