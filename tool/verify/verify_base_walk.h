/* verify_base_walk.h - which registers hold the image base at each instruction of one x64 function.
 * Takes: a function and the instructions that take the base.  Gives: one step for each instruction.
 * Must not: lose sight of the base: what is not known may hold it. */
#ifndef HVCIFIX_VERIFY_VERIFY_BASE_WALK_H
#define HVCIFIX_VERIFY_VERIFY_BASE_WALK_H

#include "verify/verify_inventory.h"
#include "verify/verify_registers.h"

struct verify_base_step {
    uint32_t rva;
    struct verify_full full;
    uint16_t may, must;  /* registers that may, and that do, hold the base before it */
    uint16_t rva_values; /* registers that hold an RVA loaded from a table */
    bool is_reached;
};

struct verify_base_walk {
    struct verify_moves *moves;
    const struct verify_code_section *section;
    const struct verify_piece *site;
    struct verify_base_step *steps; /* ascending */
    size_t count;
    bool is_gap;
};

/* Walks the function. False when it cannot be followed (then that is refuted as not shown) or memory ran out.
 */
bool verify_base_walk(struct verify_moves *moves, const struct verify_function *function,
                      struct verify_base_walk *walk);

/* The step at rva, or NULL. */
struct verify_base_step *verify_base_step_at(const struct verify_base_walk *walk, int64_t rva);

/* A move of a whole register into another. */
bool verify_base_is_copy(const struct verify_base_step *step);

/* A 4-byte load through the base: an entry of a table of RVAs, perhaps. */
bool verify_base_is_table_load(const struct verify_base_step *step);

#endif
