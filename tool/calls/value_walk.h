/* value_walk.h - one look for all that a value can be, and what its steps share.
 * Takes: a search.  Gives: leaves, added one by one, each once; the guard against going in circles.
 * Must not: be included outside tool/calls. */
#ifndef HVCIFIX_CALLS_VALUE_WALK_H
#define HVCIFIX_CALLS_VALUE_WALK_H

#include "calls/calls_internal.h"

/* What is being looked at on the way here: no step leads into it again. */
struct way {
    uint32_t rvas[MOST_STEPS];
    struct atom atoms[MOST_STEPS];    /* arguments only */
    unsigned mask_counts[MOST_STEPS]; /* of the walk when it went in */
    unsigned count;
};

struct walk {
    struct call_search *search;
    struct leaves *leaves;
    struct way arguments, globals, results; /* of functions, at RVAs, of functions */
    unsigned mask_count;                    /* masks that change a number, on the way here */
    size_t first;                           /* leaves before this one are done */
    bool minds_wholes; /* a variable may be changed by what writes to a larger one that holds it */
};

/* The steps. All: false when memory ran out. */
bool walk_value(struct walk *walk, value_number value, uint32_t function_rva, enum leaf_origin origin,
                uint32_t origin_rva);

/* What the functions that name a variable store into it, and what it holds in the file. walk_variable.c */
bool walk_variable(struct walk *walk, uint32_t rva, uint32_t nbytes);

/* What the callers give for an argument; `atom` is one of what was there at entry. walk_callers.c */
bool walk_callers(struct walk *walk, const struct atom *atom, uint32_t function_rva);

/* What the call at site_rva in the function returns. walk_result.c */
bool walk_result(struct walk *walk, uint32_t site_rva, uint32_t function_rva);

/* Only leaves from `first` on get the same masks later: only among them one of two equal ones can go. */
bool leaf_is_listed(const struct leaves *leaves, size_t first, size_t count, const struct leaf *leaf);

void walk_add_leaf(struct walk *walk, struct leaf leaf);
void walk_add_unknown(struct walk *walk, enum unknown_reason reason, enum leaf_origin origin,
                      uint32_t origin_rva);
void walk_add_number(struct walk *walk, uint64_t number, enum leaf_origin origin, uint32_t origin_rva);

/* What leads to itself unchanged adds nothing; when bits were changed on the way it is not followed. */
enum way_state { WAY_NEW, WAY_AGAIN, WAY_CHANGED, WAY_TOO_LONG };
enum way_state walk_enter(const struct walk *walk, struct way *way, uint32_t rva, const struct atom *atom);

bool walk_take_step(struct walk *walk);

/* The records of the function that a reference of code stands in, all zero when there are none, and where its
 * instruction begins. By value: reading more functions moves the list. False when memory ran out. */
bool walk_find_user(struct call_search *search, const struct ref *ref, struct read_function *function,
                    uint32_t *site_rva);

#endif
