/* verify_follow_internal.h - what the files of verify_follow.h share.
 *
 *     verify_follow.c         the ways through a function, and all that is done with the address
 *     verify_follow_writes.c  only whether something is stored through it, in functions that get it too
 *
 * Must not: be included by others. */
#ifndef HVCIFIX_VERIFY_VERIFY_FOLLOW_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_FOLLOW_INTERNAL_H

#include "verify/verify_holders.h"

enum { STEP_MAX_COUNT = 256, PENDING_MAX_COUNT = 24 };

/* Where to go on, and what holds the address there. */
struct place {
    size_t at;
    bool is_certain; /* no branch, call or other way lies between */
    bool is_fresh;   /* nor any use */
    struct verify_holders holders;
};

struct follow {
    struct verify_code *code;
    const struct verify_code_section *section;
    bool is_bounded;   /* instruction starts between these are known */
    size_t begin, end; /* of the function, or of the section */
    struct verify_followed found;
    bool has_other_first; /* a use that is no access comes first on some way */
    bool seeks_writes;    /* nothing but a store is asked for */
    unsigned depth;       /* calls between where the address is taken and here; when seeks_writes */
    struct place seen[STEP_MAX_COUNT];
    size_t seen_count;
    size_t pending[PENDING_MAX_COUNT]; /* of `seen` */
    size_t pending_count;
};

/* Sets everything but the arrays: those are large. False where the way forward from `at` is not known. */
bool follow_begin(struct follow *follow, struct verify_code *code, const struct verify_code_section *section,
                  size_t at);

/* What the instruction writes holds the address; false when it is no such instruction. */
bool follow_first_holders(const struct follow *follow, const struct verify_full *full,
                          struct verify_holders *holders);

/* One more place to go on at, if it is a new one. False when there is no room. */
bool follow_add_place(struct follow *follow, const struct place *place);

/* Goes to all places. */
void follow_walk(struct follow *follow);

/* The rest is for seeks_writes. */

static inline bool follow_has_written(const struct follow *follow)
{
    return follow->found.writes || follow->found.writes_anywhere;
}

/* A pushed register held the address: the stack holds it, too. */
void follow_note_push(const struct verify_full *full, const struct verify_holders *before,
                      struct verify_holders *holders);

/* Does the function that the call, or the jump out of this one, states store through the address? */
bool follow_callee_writes(const struct follow *from, const struct place *call,
                          const struct verify_full *full);

/* Goes on behind an instruction that is not understood: what it does not write holds the address still. */
void follow_go_on_behind(struct follow *follow, struct place place);

#endif
