/* demands.h - what a build owner may demand of an image beyond memory integrity (HVCI22xx), once.
 * Takes nothing.  Gives: the table of demands with their words in a policy, and which of them are asked.
 * Must not: judge. The section [require] of a policy, its texts and the rules of build policy use this table.
 */
#ifndef HVCIFIX_RULES_DEMANDS_H
#define HVCIFIX_RULES_DEMANDS_H

#include "base/finding.h"

enum demand_id {
    DEMAND_NONE, /* of rules that always judge */
    DEMAND_NX_COMPAT,
    DEMAND_DYNAMIC_BASE,
    DEMAND_HIGH_ENTROPY_VA,
    DEMAND_GUARD_CF,
    DEMAND_CET_COMPAT,
    DEMAND_FORCE_INTEGRITY,
    DEMAND_CHECKSUM,
    DEMAND_SIGNATURE,
    DEMAND_STALE_SIGNATURE,
    DEMAND_INIT_DISCARDABLE,
    DEMAND_SHARED_WRITABLE,
    DEMAND_LOADER_DATA,
    DEMAND_VERSIONS,
    DEMAND_LINKER,
    DEMAND_COUNT
};

/* Values of a demand: what its words mean. */
enum demand_value {
    DEMAND_ANY,    /* nothing is demanded: the word "any" */
    DEMAND_HOLDS,  /* the first word of its row: "yes", "right", "present"... */
    DEMAND_ABSENT, /* the second word; only `signature` has one */
    DEMAND_MOST_VALUES
};

struct demand_row {
    const char *key; /* in [require] */
    enum finding_code code;
    const char *words[DEMAND_MOST_VALUES]; /* by value; NULL: there is no such value */
};

/* DEMAND_COUNT rows, by number; that of DEMAND_NONE is empty. */
extern const struct demand_row demand_rows[DEMAND_COUNT];

/* What is asked of one image. */
struct demands {
    struct {
        enum demand_value value;
        enum finding_level level; /* of findings about kernel images; LEVEL_OFF: it is not asked */
    } items[DEMAND_COUNT];
};

static inline bool demand_is_asked(const struct demands *demands, enum demand_id demand)
{
    return demands && demands->items[demand].level != LEVEL_OFF;
}

/* The demand that a rule judges; DEMAND_NONE when that code is no rule of build policy. */
enum demand_id demand_of_code(unsigned code);

/* May a repair of a finished image do what the demand asks? What else is wrong with an image only its author
 * can cure. */
bool demand_is_repairable(enum demand_id demand);

/* Asks for one that is not asked yet: its rule judges, at that level, also where nothing is demanded. */
void demand_ask(struct demands *demands, enum demand_id demand, enum finding_level level);

/* Asks for all that are not asked yet. */
void demand_ask_rest(struct demands *demands, enum finding_level level);

#endif
