/* section_writes.h - does any code or loader-written table need one section writable?
 * Takes: image, references with code, code map.  Gives: the answer with what was found.
 * Must not: change anything, or say "proved" where bytes are not understood. */
#ifndef HVCIFIX_CODE_SECTION_WRITES_H
#define HVCIFIX_CODE_SECTION_WRITES_H

#include "code/code_map.h"

enum write_answer {
    WRITES_NONE,      /* proved: every possible reference into the section was classified, none writes */
    WRITES_CONSTANTS, /* the same, but addresses of constants escape; that nobody writes to them is assumed */
    WRITES_ASSUMED,   /* code of this machine is not decoded: nothing is known, Windows 10 strips W itself */
    WRITES_FOUND      /* a store, a loader-written table, or an address that escapes; see `evidence` */
};

/* A range of the section that will not be in it any more: what is written there does not count, and code in
 * it does not count: it is not executed any more. */
struct write_exception {
    uint32_t rva, nbytes;
};

/* The reference with that index in the inventory means something outside of the section, though its address
 * lies in it or near it. */
typedef bool means_elsewhere_fn(const void *context, size_t ref_index);

struct write_question {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    uint32_t section;                         /* its index */
    const struct write_exception *exceptions; /* what leaves the section */
    size_t exception_count;
    means_elsewhere_fn *means_elsewhere; /* or NULL: nothing does */
    const void *context;                 /* for means_elsewhere */
};

/* Judges the section, but for what leaves it. Considers: loader-written tables (IAT, thunk arrays outside it,
 * delay IAT, guard slots, cookie, TLS index...), decoded stores, addresses of the section taken by code or
 * by relocated pointers that are not code targets, image-base-relative displacements into it, and every
 * byte position of the executable sections that could encode a direct reference into it (docs/DESIGN.md,
 * section 5), whether decoded or not. On WRITES_FOUND *why holds the first counter-example as a finding of
 * HVCI9021 with place and cure. On WRITES_NONE and WRITES_CONSTANTS *summary says what was examined, with
 * counts. False only when memory ran out. */
bool section_writes(const struct write_question *question, struct arena *arena, enum write_answer *answer,
                    struct finding *why, const char **summary);

#endif
