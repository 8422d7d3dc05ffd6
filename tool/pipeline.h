/* pipeline.h - one image from bytes to verdict.
 * Takes: a path and what is wanted.  Gives: struct outcome, which holds every stage's value for the report.
 * Must not: print, exit, or keep anything between images. */
#ifndef HVCIFIX_PIPELINE_H
#define HVCIFIX_PIPELINE_H

#include "code/code_map.h"
#include "emit/emit.h"
#include "io/file.h"
#include "plan/plan.h"
#include "policy/policy_judge.h"
#include "rules/rule.h"
#include "verify/verify.h"

enum pipeline_goal {
    GOAL_SHOW,  /* stop after the references: everything is collected for a picture */
    GOAL_CHECK, /* stop after the findings */
    GOAL_FIX    /* go on to the written file */
};

struct pipeline_options {
    enum pipeline_goal goal;
    enum windows_target target;
    const struct policy *policy; /* levels and waivers of findings, or NULL */
    bool no_code;                /* do not decode instructions (GOAL_CHECK) */
    bool dry_run;                /* GOAL_FIX: stop after the plan */
    const char *output_path;     /* GOAL_FIX: where to write; NULL means in place */
    bool drop_signature;
    const enum finding_code *only;
    size_t only_count;
    /* GOAL_FIX: rules whose findings are not to be repaired; an error of theirs keeps the image as it is. */
    const enum finding_code *kept;
    size_t kept_count;
    bool by_policy; /* GOAL_FIX: only kernel images, and of what is no error only INIT, are repaired */
    const struct allocator *allocator; /* NULL: malloc */
    struct arena_stock *stock;         /* with malloc: memory kept from one image to the next, or NULL */
};

/* The words of the JSON report's `status`. */
enum outcome_status { STATUS_CLEAN, STATUS_FINDINGS, STATUS_FIXED, STATUS_REFUSED, STATUS_ERROR };

/* Exit codes (DESIGN section 5); the most serious wins in the order 6, 4, 3, 1, 0. Never 5 or 9009. */
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

struct outcome {
    struct arena arena; /* owns everything below */
    const char *path;
    const char *output_path; /* where a repair goes when it is not in place; else NULL */
    enum windows_target target;
    struct file_content file;
    bool has_image, has_code, has_plan, has_verdict, has_remaining, wrote;
    struct image image;
    struct refset refs;
    struct code_map code;
    struct rule_answer *answers; /* rules_count of them when `judged` */
    bool judged;
    struct finding_list findings;  /* rules' findings, in rule order */
    enum waiver_use *waiver_uses;  /* one for each waiver of the policy; NULL without one */
    struct finding memory_problem; /* what `problems` holds when memory ran out */
    struct finding_list problems;  /* HVCI9xxx: input errors, refusals, our own defects */
    struct plan plan;
    struct output output;
    struct verify_verdict verdict;
    struct finding_list remaining; /* the rules' findings about the new bytes, after a repair */
    enum enforce_result enforced;
    const char *rejected_path; /* where a rejected image is now; NULL: where it was, or removed */
    bool was_removed;
    const char *remark; /* e.g. why a signed image was left alone; NULL when there is none */
    enum outcome_status status;
    enum exit_code exit_code;
};

/* Runs the stages on one image. Always gives an outcome; pipeline_release() frees it. */
void pipeline_run(const char *path, const struct pipeline_options *options, struct outcome *outcome);
void pipeline_release(struct outcome *outcome);

/* The word for a status: "clean", "findings", "fixed", "refused", "error". */
const char *outcome_status_name(enum outcome_status status);

/* Of two exit codes the one that wins. */
enum exit_code exit_code_worse(enum exit_code a, enum exit_code b);

#endif
