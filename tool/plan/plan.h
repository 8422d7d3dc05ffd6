/* plan.h - what is to change: decided here, carried out by emit, proved by verify.
 * Takes: image, references, code map, answers of the rules, options.  Gives: a list of changes, "no change",
 * or a refusal with its reasons.  Must not: touch bytes.
 * When pieces move, plan->layout says where everything lies in the new image. */
#ifndef HVCIFIX_PLAN_PLAN_H
#define HVCIFIX_PLAN_PLAN_H

#include "code/code_map.h"
#include "plan/layout.h"
#include "plan/nx_plan.h"
#include "policy/policy_judge.h"
#include "rules/rule.h"

enum plan_verdict { PLAN_NO_CHANGE, PLAN_CHANGE, PLAN_REFUSED };

/* How sure we are that a change keeps the driver's behaviour. */
enum assurance { ASSURANCE_PROVED, ASSURANCE_ASSUMED };

enum change_kind {
    CHANGE_SECTION_CHARACTERISTICS,
    CHANGE_HEADER_FLAG,    /* a flag of DllCharacteristics; several follow one another */
    CHANGE_NX,             /* calls of one import are led through a stub; file_offset is the first one's */
    CHANGE_LAYOUT,         /* pieces move: plan->layout; file_offset is the finding's */
    CHANGE_DROP_SIGNATURE, /* directory entry cleared, table cut off the end of the file */
    CHANGE_CHECKSUM        /* derived at emit from the final bytes */
};

struct change {
    enum change_kind kind;
    enum finding_code rule; /* the rule it cures; 0 when it follows from another change */
    uint64_t file_offset;   /* of the field, or of the bytes cut off */
    uint32_t width_nbytes;  /* of the field; bytes cut off for CHANGE_DROP_SIGNATURE */
    uint64_t old_value, new_value;
    const char *section; /* or NULL */
    const char *field;   /* "Characteristics", ... */
    const char *why;     /* one sentence */
    enum assurance assurance;
    const char *proof; /* what was examined, or what is assumed */
};

/* A layout that the caller asks for whatever the findings say: tests try inventory and proof on it
 * (page-aligned images; tests/relayout). What is executable has to keep its distances. */
struct forced_layout {
    const uint32_t *section_rvas; /* by index: the new RVA, a multiple of a page from the old one */
    uint32_t slots_rva;           /* a page behind all sections for what the loader writes; 0: it stays */
};

struct plan_options {
    bool drop_signature;
    const enum finding_code *only; /* repair just these rules; NULL means all */
    size_t only_count;
    /* Not NULL: only what this policy lets `enforce` repair; and findings that are no errors stay, but for
     * INIT's, which Windows itself repairs. */
    const struct policy *enforced;
    enum windows_target target;
    const char *catalog;   /* path of a catalog that lists the image's hash, or NULL; counts as a signature */
    uint32_t first_layout; /* of the layouts that are tried in turn, those before this one are left out */
    const struct forced_layout *forced; /* NULL, but in tests */
    const struct nx_plan
        *nx; /* calls that are led through stubs as well, or NULL; findings about calls are its */
};

/* No image has more layouts that are tried in turn (candidates.c). */
enum { PLAN_MOST_LAYOUTS = 12 };

struct plan {
    enum plan_verdict verdict;
    struct change *changes;
    size_t change_count, change_capacity;
    struct finding_list refusals; /* why nothing, or not more, can be repaired: HVCI902x */
    uint64_t new_file_nbytes;
    struct layout *layout;  /* NULL: every byte stays where it is */
    uint32_t layout_number; /* of the layout among those that are tried in turn, */
    bool has_other_layouts; /* and behind it there are more */
    const char *remark;     /* why something that could change does not; NULL when there is nothing to say */
};

/* False only when memory ran out. `code` may be an undecoded map. */
bool plan_make(const struct image *image, const struct refset *refs, const struct code_map *code,
               const struct finding_list *findings, const struct plan_options *options, struct arena *arena,
               struct plan *plan);

#endif
