/* pipeline.h - one image from bytes to verdict.
 * Takes: a path, or bytes in memory, and what is wanted.  Gives: struct outcome, which holds every stage's
 * value for the report. Must not: print, exit, or keep anything between images. */
#ifndef HVCIFIX_PIPELINE_H
#define HVCIFIX_PIPELINE_H

#include "calls/call_judgement.h"
#include "calls/call_list.h"
#include "code/code_map.h"
#include "emit/emit.h"
#include "io/file.h"
#include "pipeline_pdb.h"
#include "plan/plan.h"
#include "policy/baseline.h"
#include "policy/policy_judge.h"
#include "rules/rule.h"
#include "undo/undo.h"
#include "verify/verify.h"

#include <stdatomic.h>

enum pipeline_goal {
    GOAL_SHOW,  /* stop after the references: everything is collected for a picture */
    GOAL_CHECK, /* stop after the findings */
    GOAL_FIX    /* go on to the written file */
};

struct catalog_index;
struct outcome;

/* Signs a repaired image before it is written anywhere: takes bytes that are proved, gives those that are to
 * be written, in the outcome's arena. False with *error set: nothing is written then. */
struct pipeline_seal {
    bool (*run)(void *context, struct outcome *outcome, struct span proved, struct span *sealed,
                struct finding *error);
    void *context;
};

struct pipeline_options {
    enum pipeline_goal goal;
    enum windows_target target;
    const struct policy *policy;   /* levels and waivers of findings, or NULL */
    struct baseline_view baseline; /* findings that do not fail, because an earlier report has them */
    bool all_rules;                /* build policy that nobody demands is judged too, as notes */
    bool lists_calls;              /* GOAL_SHOW: collect all calls of functions of Windows */
    bool judges_calls;             /* HVCI2000 to 2002 judge; without it they say that they do not */
    const char *symbols_path; /* PDB, map or folder with names for functions; NULL: none (pipeline_symbols.c)
                               */
    bool no_code;             /* do not decode instructions (GOAL_SHOW, GOAL_CHECK) */
    bool dry_run;             /* GOAL_FIX: stop after the plan */
    bool in_memory;           /* GOAL_FIX: write no file; outcome->output is what the caller writes */
    bool only_kernel;         /* GOAL_FIX: other images are judged and left as they are */
    const struct catalog_index *catalogs; /* GOAL_FIX: the catalogs of the image's package, in place of those
                                           * beside the file; one keeps an image whose findings are notes */
    const struct pipeline_seal *seal;     /* GOAL_FIX: or NULL */
    const char *output_path;              /* GOAL_FIX: where to write; NULL means in place */
    bool leaves_undo;                     /* GOAL_FIX in place: leave what leads back (undo/undo.h) */
    enum pdb_wish pdb_wish;               /* GOAL_FIX */
    const char *pdb_path;                 /* with PDB_NAMED */
    bool names_symbols;                   /* a map is made of the repair: the PDB's names are wanted for it */
    const struct pdb_given *pdb_given;    /* with in_memory: the image's PDB, or NULL: it has none */
    bool drop_signature;
    bool spares_signed; /* GOAL_FIX, of a package: what is signed and has only notes stays all the same,
                         * unless `only` names what to repair */
    bool adds_nx; /* GOAL_FIX: calls that may ask for executable memory are led through stubs (plan/nx_plan.h)
                   */
    const enum finding_code *only;
    size_t only_count;
    /* GOAL_FIX: only kernel images are repaired, and only what `policy` lets `enforce` repair; an error that
     * would be left on purpose keeps the image as it is. */
    bool enforces;
    const struct allocator *allocator; /* NULL: malloc */
    const atomic_bool *stop;           /* once it is true the image is given up where it is, or NULL */
    struct arena_stock *stock;         /* with malloc: memory kept from one image to the next, or NULL */
};

/* The words of the JSON report's `status`. */
enum outcome_status { STATUS_CLEAN, STATUS_FINDINGS, STATUS_FIXED, STATUS_REFUSED, STATUS_ERROR };

/* Exit codes (docs/DESIGN.md, section 8). 5 and 9009 are left to Windows: what may not be opened, and what
 * cmd.exe does not find, ends with them, and tools of builds act on that. */
enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_FINDINGS = 1,
    EXIT_USAGE = 2,
    EXIT_INPUT = 3,
    EXIT_WRITE = 4,
    EXIT_DEFECT = 6
};

/* What a policy made of the image (enforce.h); WOULD_*: what it would have made of it. */
enum enforce_result {
    NOT_ENFORCED,
    ENFORCE_PASSED,
    ENFORCE_REPAIRED,
    ENFORCE_REJECTED,
    WOULD_PASS,
    WOULD_REPAIR,
    WOULD_REJECT
};

/* The side file of a repair in place. */
struct undo_left {
    const char *path;
    bool is_left;       /* it is there, and so is the repaired image */
    size_t nbytes;      /* of all of it */
    bool had_before;    /* there was a file of this name: */
    struct span before; /* these bytes */
    bool has_failed;    /* it could not be left, so there was no repair: */
    struct finding error;
};

struct outcome {
    struct arena arena; /* owns everything below */
    const char *path;
    const char *container_path; /* the file that holds the image; NULL for an image that is a file itself */
    const char *output_path;    /* where a repair goes when it is not in place; else NULL */
    enum windows_target target;
    struct file_content file;
    bool is_package; /* a package that was repaired: what is written is not an image */
    bool has_image, has_code, has_plan, has_verdict, has_remaining, wrote;
    bool was_stopped; /* given up on request: nothing was written, and nothing here is a verdict */
    struct image image;
    struct refset refs;
    struct code_map code;
    struct given_names names;        /* of its functions, with symbols_path */
    enum finding_code names_refused; /* the note that says why there are none; 0: none does */
    struct call_list calls;          /* with lists_calls */
    /* What the code asks Windows for, before and (with has_remaining) after a repair. */
    struct call_judgement asked, asked_after;
    struct rule_answer *answers; /* rules_count of them when `judged` */
    bool judged;
    struct finding_list findings;  /* rules' findings, in rule order */
    enum waiver_use *waiver_uses;  /* one for each waiver of the policy; NULL without one */
    struct finding memory_problem; /* what `problems` holds when memory ran out */
    struct finding_list problems;  /* HVCI9xxx: input errors, refusals, our own defects */
    struct plan plan;
    struct output output;
    struct nx_plan
        nx; /* with adds_nx, kernel images: what is led through stubs, placed once there are bytes */
    struct nx_given_up nx_given_up;    /* what was tried before, and could not be proved */
    struct undo_left undo;             /* with leaves_undo */
    const struct undo_file *side_file; /* what `show` draws in the place of an image; else NULL */
    struct outcome_pdb pdb;
    struct verify_verdict verdict;
    struct finding_list remaining; /* the rules' findings about the new bytes, after a repair */
    struct demands demands;        /* what of build policy is asked of this image */
    enum enforce_result enforced;
    const char *rejected_path; /* where a rejected image is now; NULL: where it was, or removed */
    bool was_removed;
    const char *next_step; /* after a repair: what its owner does now; text for people, or NULL */
    const char *remark;    /* e.g. why a signed image was left alone; NULL when there is none */
    enum outcome_status status;
    enum exit_code exit_code;
};

/* Runs the stages on one image. Always gives an outcome; pipeline_release() frees it. */
void pipeline_run(const char *path, const struct pipeline_options *options, struct outcome *outcome);

/* The same for an image inside a package, with GOAL_CHECK: first an empty outcome, into whose arena path and
 * bytes may be put, then the stages. `path` names the place inside, `container_path` the file on disk. */
void pipeline_begin(const struct pipeline_options *options, struct outcome *outcome);
void pipeline_run_content(const char *path, const char *container_path, struct span bytes,
                          const struct pipeline_options *options, struct outcome *outcome);

/* Ends an outcome that has not been judged with one problem, e.g. of a package. */
void pipeline_end_with(struct outcome *outcome, const char *path, const struct finding *problem,
                       enum exit_code exit_code);
void pipeline_release(struct outcome *outcome);

/* The word for a status: "clean", "findings", "fixed", "refused", "error". */
const char *outcome_status_name(enum outcome_status status);

/* Of two exit codes the one that wins: the most serious, in the order 6, 2, 4, 3, 1, 0. */
enum exit_code exit_code_worse(enum exit_code a, enum exit_code b);

#endif
