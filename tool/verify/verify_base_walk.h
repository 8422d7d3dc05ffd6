/* verify_base_walk.h - which registers hold the image base at each instruction of one x64 function.
 * Takes: a function and the instructions that take the base.  Gives: one step for each instruction.
 * Must not: lose sight of the base: what is not known may hold it. */
#ifndef HVCIFIX_VERIFY_VERIFY_BASE_WALK_H
#define HVCIFIX_VERIFY_VERIFY_BASE_WALK_H

#include "verify/verify_registers.h"

/* Instructions that take the image base into a register, ascending. */
struct verify_base_sites {
    uint32_t *rvas;
    size_t count, capacity;
};

struct verify_base_step {
    uint32_t rva;
    struct verify_full full;
    uint16_t may, must;  /* registers that may, and that do, hold the base before it */
    uint16_t rva_values; /* registers that hold an RVA loaded from a table */
    bool is_reached;
    bool is_switch, is_case; /* a jump through a table of RVAs; a label that such a jump leads to */
};

/* What the registers hold at one place; fields as above. */
struct verify_base_state {
    uint16_t may, must, rva_values;
};

struct verify_base_walk {
    struct verify_code *code;
    const struct verify_base_sites *sites;
    const struct verify_code_section *section;
    struct verify_base_step *steps; /* ascending */
    size_t count;
    uint16_t left_over; /* registers in which only jumps through tables leave the base: no arguments */
    bool is_gap;
    bool has_cases; /* `cases` is what any of the switches passes on */
    struct verify_base_state cases;
};

/* Walks the function. False with *problem (what the function is or has) when it cannot be followed, or NULL
 * there when memory ran out. */
bool verify_base_walk(struct verify_code *code, const struct verify_base_sites *sites, struct arena *arena,
                      const struct verify_function *function, struct verify_base_walk *walk,
                      const char **problem);

/* The step of the instruction at rva, or NULL. */
struct verify_base_step *verify_base_step_at(const struct verify_base_walk *walk, int64_t rva);

/* The step copies one 64-bit register into another. */
bool verify_base_is_copy(const struct verify_base_step *step);

/* A 4-byte load through the base: an entry of a table of RVAs, perhaps. */
bool verify_base_is_table_load(const struct verify_base_step *step);

/* The step is an instruction that takes the base. */
bool verify_base_is_site(const struct verify_base_walk *walk, const struct verify_base_step *step);

/* The operand is memory at base + *rva, perhaps with an index. */
bool verify_base_operand(const struct verify_base_step *step, const ZydisDecodedOperand *operand,
                         uint64_t *rva);

/* Why the base gets out of sight at this step, as the end of a sentence, or NULL. */
const char *verify_base_escape(const struct verify_base_walk *walk, const struct verify_base_step *step);

/* Registers into which the function takes the base for jumps through tables only: what such a jump leaves
 * there is nobody's argument. */
uint16_t verify_base_left_over(const struct verify_base_walk *walk);

/* Marks the jumps of switches and their labels, when the function has no other jumps through registers and
 * all tables are known to their ends: such a label gets its registers from those jumps, and from branches. */
void verify_base_mark_cases(struct verify_base_walk *walk);

/* Appends a site. False when memory ran out. */
bool verify_base_add_site(struct verify_base_sites *sites, struct arena *arena, uint32_t rva);

#endif
