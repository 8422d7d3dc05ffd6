/* layouts.h - the layouts that are forced upon an image, from the boldest to the most careful.
 * Takes: an image and a seed.  Gives: new RVAs of its sections.  Must not: look at code or references. */
#ifndef HVCIFIX_TESTS_RELAYOUT_LAYOUTS_H
#define HVCIFIX_TESTS_RELAYOUT_LAYOUTS_H

#include "image/image.h"
#include "plan/plan.h"

/* Each is tried when the one before could not be proved. Gaps and order of what moves come from the seed. */
enum relayout_kind {
    RELAYOUT_ALL,      /* code by one distance, each other section by its own, the IAT to pages of its own */
    RELAYOUT_DATA,     /* the same with the code where it was */
    RELAYOUT_TOGETHER, /* all that is no code by one distance, the IAT to pages of its own */
    RELAYOUT_SOME,     /* those sections that `moves` names, each by its own distance */
    RELAYOUT_KIND_COUNT
};

struct relayout_wish {
    enum relayout_kind kind;
    uint64_t seed;
    const bool *moves; /* RELAYOUT_SOME: by index of the section */
    bool keeps_iat;    /* the IAT stays in its section */
};

/* A section that can move at all: it is not executable. */
bool relayout_may_move(const struct section *section);

/* A stable word for tables. */
const char *relayout_kind_name(enum relayout_kind kind);

/* Fills *forced for a page-aligned image; section_rvas is allocated in the arena. False when memory ran out.
 */
bool relayout_choose(const struct image *image, const struct relayout_wish *wish, struct arena *arena,
                     struct forced_layout *forced);

#endif
