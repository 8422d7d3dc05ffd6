/* enforce.c - enforce.h.
 * Takes: a path and a policy.  Gives: an outcome.  Must not: judge; the pipeline does. */
#include "enforce.h"

bool enforce_prepare(struct enforce_options *options, struct arena *arena)
{
    enum finding_code *kept = arena_array(arena, rules_count, sizeof *kept);
    if (!kept)
        return false;
    options->kept_count = 0;
    for (size_t i = 0; i < rules_count; i++)
        if (options->policy->rules[i].repair != REPAIR_BY_ENFORCE)
            kept[options->kept_count++] = rules_all[i]->code;
    options->kept = kept;
    return true;
}

enum { MOST_TRIES = 4 };

static enum enforce_result result_of(const struct outcome *outcome, bool is_audit)
{
    if (outcome->exit_code != EXIT_CLEAN)
        return is_audit ? WOULD_REJECT : ENFORCE_REJECTED;
    if (outcome->status == STATUS_FIXED)
        return is_audit ? WOULD_REPAIR : ENFORCE_REPAIRED;
    return is_audit ? WOULD_PASS : ENFORCE_PASSED;
}

/* Has another program, perhaps another enforcer, put a new file in the place of what was read? Then it is the
 * new one that counts. */
static bool was_replaced_meanwhile(const struct outcome *outcome)
{
    struct file_identity now;
    return outcome->exit_code == EXIT_WRITE && file_identify(outcome->path, &now) &&
           !file_identity_is_equal(&now, &outcome->file.state.identity);
}

void enforce_run(const char *path, const struct enforce_options *options, struct arena_stock *stock,
                 struct outcome *outcome)
{
    bool is_audit = options->policy->mode == MODE_AUDIT;
    struct pipeline_options pipeline = {
        .goal = options->policy->mode == MODE_REJECT ? GOAL_CHECK : GOAL_FIX,
        .target = options->target,
        .policy = options->policy,
        .dry_run = is_audit,
        .drop_signature = options->policy->drop_signature,
        .by_policy = true,
        .kept = options->kept,
        .kept_count = options->kept_count,
        .stock = stock,
    };
    for (unsigned tries = 1;; tries++) {
        pipeline_run(path, &pipeline, outcome);
        if (tries == MOST_TRIES || !was_replaced_meanwhile(outcome))
            break;
        pipeline_release(outcome);
    }
    outcome->enforced = result_of(outcome, is_audit);
    if (is_audit)
        outcome->exit_code = EXIT_CLEAN;
}

void enforce_reject(const struct enforce_options *options, struct outcome *outcome)
{
    struct arena *arena = &outcome->arena;
    struct finding error;
    if (outcome->enforced != ENFORCE_REJECTED || options->on_fail == ON_FAIL_KEEP)
        return;
    bool deletes = options->on_fail == ON_FAIL_DELETE;
    const char *rejected_path =
        deletes ? NULL : arena_printf(arena, "%s" ENFORCE_REJECTED_SUFFIX, outcome->path);
    if (rejected_path && rejected_path[0] == 0)
        return; /* no memory for a name: the report says so */
    bool is_done = deletes ? file_remove(outcome->path, arena, &error)
                           : file_rename(outcome->path, rejected_path, arena, &error);
    /* A network file system may say that it failed and have done it; another enforcer may have been faster.
     */
    bool is_gone = is_done || file_is_absent(outcome->path);
    outcome->was_removed = deletes && is_gone;
    outcome->rejected_path =
        !deletes && (is_done || (is_gone && !file_is_absent(rejected_path))) ? rejected_path : NULL;
    if (is_gone)
        return;
    error.cure = "The rejected image is still there: keep later steps from using it.";
    finding_add(&outcome->problems, &error);
    outcome->exit_code = exit_code_worse(outcome->exit_code, EXIT_WRITE);
}
