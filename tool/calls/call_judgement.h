/* call_judgement.h - whether a driver's code asks Windows for executable memory, for the rules and the
 * reports. Takes: image; inventory and code map when somebody has them.  Gives: sites with verdicts and
 * counts, or why there are none.  Must not: decode code that cannot ask, or let what was not looked at pass
 * for safe. */
#ifndef HVCIFIX_CALLS_CALL_JUDGEMENT_H
#define HVCIFIX_CALLS_CALL_JUDGEMENT_H

#include "calls/call_sites.h"

enum calls_state {
    CALLS_NOT_ASKED,    /* nobody asked */
    CALLS_SWITCHED_OFF, /* --no-code */
    CALLS_NOT_KERNEL,   /* no kernel image: these functions are not there for it */
    CALLS_NOT_READ,     /* its code cannot be read here */
    CALLS_NONE,         /* it imports none of these functions, and nothing that leads to them */
    CALLS_JUDGED
};

struct call_judgement {
    enum calls_state state;
    bool may_ask;       /* a kernel image that imports such a function, or what leads to them */
    bool may_fight;     /* it may hold moves into control registers */
    const char *reason; /* half a sentence on why the calls were not judged; NULL for the last two states */
    struct call_site_list sites;
    size_t counts[SITE_VERDICT_COUNT]; /* by enum site_verdict */
};

/* A judgement that looks at no code. For CALLS_NOT_ASKED and CALLS_SWITCHED_OFF: `reason` says by whom or
 * why. False when memory ran out. Work: linear in the import table. */
bool calls_leave(const struct image *image, enum calls_state state, const char *reason, struct arena *arena,
                 struct call_judgement *judgement);

/* Judges. `refs` (all sources) and `map` are those of the image, or both NULL: then they are made where they
 * are needed. `given` as for call_sites_find(). False when memory ran out. Work: the import table; for an
 * image that may ask, its code too. */
bool calls_judge(const struct image *image, const struct refset *refs, const struct code_map *map,
                 const struct given_names *given, struct arena *arena, struct call_judgement *judgement);

#endif
