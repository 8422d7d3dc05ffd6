/* nx_plan.h - which calls are led through stubs that add the no-execute flag, and where those lie.
 * Takes: an image, its inventory, its code map and the judged call sites.  Gives: imports, sites, sections.
 * Must not: touch bytes, or lead a part of an import's references through a stub and leave the others.
 *
 * The image keeps every byte's place. A reference to the import slot becomes one to the stub, by an
 * instruction of the same length; stubs lie in a new section behind the others. On x86 a second new section
 * has the base relocation table anew, because the stubs name the import slots by address and calls by
 * distance need no relocation. */
#ifndef HVCIFIX_PLAN_NX_PLAN_H
#define HVCIFIX_PLAN_NX_PLAN_H

#include "calls/call_sites.h"
#include "calls/nx_stub.h"
#include "refs/refset.h"
#include "rules/target.h"

#define NX_CODE_SECTION ".hvnx"
#define NX_RELOCATION_SECTION ".hvreloc"

enum {
    NX_MOST_SECTIONS = 2,
    NX_STUB_STRIDE_NBYTES = 32,
    NX_RELOCATION_TRAILER_NBYTES = 8,
    NX_MOST_GIVEN_UP = 8
};

enum nx_site_kind { NX_SITE_CALL, NX_SITE_JUMP, NX_SITE_LOAD };

/* One instruction that refers to an import slot. */
struct nx_site {
    uint32_t rva, foff;
    uint32_t redirect; /* index */
    uint8_t kind;      /* enum nx_site_kind */
    uint8_t nbytes;
    uint8_t field_at; /* of the four bytes that lead to the slot */
};

/* An import whose calls are led through a stub. */
struct nx_redirect {
    const struct nx_api *api;
    uint32_t slot_rva;
    uint32_t stub_rva, jump_at;             /* once the sections are placed */
    size_t site_count;                      /* instructions that change */
    size_t call_counts[SITE_VERDICT_COUNT]; /* calls that were judged, those through thunks and wrappers
                                               included */
};

/* An import that stays as it is though a call of it may be executable. */
struct nx_left {
    const struct nx_api *api;
    uint32_t rva; /* of what stands in the way; NO_RVA: nothing with a place */
    const char *reason;
};

/* Imports whose stubs could not be proved; they are left. */
struct nx_given_up {
    struct nx_left items[NX_MOST_GIVEN_UP];
    size_t count;
};

struct nx_plan {
    struct nx_redirect *redirects;
    size_t redirect_count;
    struct nx_site *sites; /* ascending RVA */
    size_t site_count, site_capacity;
    struct nx_left *left;
    size_t left_count;

    /* placed: */
    uint32_t code_rva, code_foff, code_nbytes; /* of stubs; the section's raw data are padded */
    uint32_t relocation_rva, relocation_foff, relocation_nbytes; /* 0 on x64; without the trailer */
    struct span relocation_table;
    uint32_t image_nbytes;
    uint64_t file_nbytes;
};

struct nx_input {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    const struct call_site_list *sites;
    bool wants_pool, wants_mdl;         /* HVCI2000, HVCI2002 */
    const struct nx_given_up *given_up; /* or NULL */
};

/* Decides which imports; *plan has no places yet. False when memory ran out. Work: linear in the inventory
 * and in the executable bytes. */
bool nx_plan_make(const struct nx_input *input, struct arena *arena, struct nx_plan *plan);

/* Places the new sections behind the others. False with *error set (HVCI9022, HVCI9008) when that cannot be
 * done in this image. */
bool nx_plan_place(const struct nx_input *input, struct arena *arena, struct nx_plan *plan,
                   struct finding *error);

/* A sentence on what the stub does. */
const char *nx_flag_words(const struct nx_api *api);

/* Calls that the redirect changes for certain or perhaps, as "2 executable, 1 unknown". */
const char *nx_redirect_words(const struct nx_redirect *redirect, struct arena *arena);

#endif
