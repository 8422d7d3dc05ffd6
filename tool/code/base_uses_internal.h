/* base_uses_internal.h - what following the image base remembers; shared by base_uses*.c only.
 * Takes: instructions.  Gives: what registers hold behind them.  Must not: follow control flow. */
#ifndef HVCIFIX_CODE_BASE_USES_INTERNAL_H
#define HVCIFIX_CODE_BASE_USES_INTERNAL_H

#include "code/base_uses.h"
#include "code/code_decode.h"
#include "refs/extent_index.h"

enum held_kind {
    HELD_OTHER,
    HELD_UNSEEN,    /* no way to here has been followed yet: the walk began at an instruction */
    HELD_BASE,      /* the image base, not used since it came into the register */
    HELD_USED_BASE, /* the image base, used: what is left of it may be stale */
    HELD_MIXED,     /* the image base on some paths, something else on others */
    HELD_ENTRY,     /* an entry of the jump table at `table_rva` */
    HELD_TARGET     /* base + entry: where a jump goes */
};

struct base_held {
    uint8_t kind;
    uint32_t table_rva;
};

struct base_state {
    struct base_held registers[REGISTER_COUNT];
};

struct base_follower {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    struct arena *arena;
    struct decoder *decoder;
    base_use_fn *take;
    void *context;
    struct base_escape *escape;

    struct extent_index jump_tables;
    uint32_t **state_numbers; /* for each code section: 1 + index of the state before the byte, or 0 */
    struct base_state *states;
    size_t state_count, state_capacity;
    uint32_t *work; /* RVAs to look at: a stack */
    size_t work_count, work_capacity;
    uint64_t steps_left;
    bool stopped; /* `take` said so, or memory ran out */
};

static inline bool base_is_held(const struct base_held *held)
{
    return held->kind == HELD_BASE || held->kind == HELD_USED_BASE || held->kind == HELD_MIXED;
}

/* The base goes out of sight at rva; what was told before of headers counts less. */
void base_escapes(struct base_follower *follower, uint32_t rva, const char *what);
void base_reads_headers(struct base_follower *follower, uint32_t rva, const char *what);

/* Applies one instruction, the one that was decoded last, to the state. False when `take` wants no more. */
bool base_apply(struct base_follower *follower, const struct instruction *instruction,
                struct base_state *state);

static inline const struct extent *base_jump_table_at(const struct base_follower *follower, uint32_t rva)
{
    return extent_index_at(&follower->jump_tables, rva);
}

#endif
