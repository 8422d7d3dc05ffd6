/* enforce.c - enforce.h.
 * Takes: a path and a policy.  Gives: an outcome.  Must not: judge; the pipeline does. */
#include "enforce.h"

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

/* Only errors reject. Where nothing but notes and warnings could not be repaired, the image is as it was and
 * passes; why it was not repaired stays in the report. */
static void pass_without_errors(struct outcome *outcome)
{
    if (outcome->status != STATUS_REFUSED || outcome->exit_code != EXIT_FINDINGS ||
        finding_worst(&outcome->findings) == LEVEL_ERROR)
        return;
    for (size_t i = 0; i < outcome->problems.count; i++)
        outcome->problems.items[i].level = LEVEL_NOTE;
    outcome->status = STATUS_FINDINGS;
    outcome->exit_code = EXIT_CLEAN;
}

void enforce_run(const char *path, const struct enforce_options *options, struct arena_stock *stock,
                 struct outcome *outcome)
{
    bool is_audit = options->policy->mode == MODE_AUDIT;
    struct pipeline_options pipeline = {
        .goal = options->policy->mode == MODE_REJECT ? GOAL_CHECK : GOAL_FIX,
        .target = options->target,
        .policy = options->policy,
        .baseline = options->baseline,
        .dry_run = is_audit,
        .drop_signature = options->policy->drop_signature,
        .enforces = true,
        .judges_calls = true,
        .symbols_path = options->symbols_path,
        .adds_nx = policy_lets_enforce_repair(options->policy, HVCI2000_EXECUTABLE_POOL) ||
                   policy_lets_enforce_repair(options->policy, HVCI2002_EXECUTABLE_MDL),
        .stop = options->stop,
        .stock = stock,
    };
    for (unsigned tries = 1;; tries++) {
        pipeline_run(path, &pipeline, outcome);
        if (tries == MOST_TRIES || !was_replaced_meanwhile(outcome))
            break;
        pipeline_release(outcome);
    }
    if (outcome->was_stopped)
        return;
    pass_without_errors(outcome);
    if (options->policy->mode == MODE_REJECT && outcome->exit_code == EXIT_FINDINGS && !outcome->remark)
        outcome->remark = "Nothing was repaired: the policy's mode is reject.";
    enforce_settle(options, outcome);
}

void enforce_settle(const struct enforce_options *options, struct outcome *outcome)
{
    bool is_audit = options->policy->mode == MODE_AUDIT;
    outcome->enforced = result_of(outcome, is_audit);
    if (is_audit)
        outcome->exit_code = EXIT_CLEAN;
}

void enforce_run_content(const char *path, const char *container_path, struct span bytes,
                         const struct enforce_options *options, struct arena_stock *stock,
                         struct outcome *outcome)
{
    struct pipeline_options pipeline = {.goal = GOAL_CHECK,
                                        .target = options->target,
                                        .policy = options->policy,
                                        .baseline = options->baseline,
                                        .judges_calls = true,
                                        .symbols_path = options->symbols_path,
                                        .stock = stock,
                                        .stop = options->stop};
    pipeline_run_content(path, container_path, bytes, &pipeline, outcome);
    if (outcome->was_stopped)
        return;
    bool is_repaired_elsewhere = options->policy->mode != MODE_REJECT && outcome->exit_code == EXIT_FINDINGS;
    enforce_settle(options, outcome);
    if (is_repaired_elsewhere)
        outcome->remark =
            "Inside a package nothing is repaired: run enforce on the image before it is packed.";
}

void enforce_reject_package(const struct enforce_options *options, size_t rejected_count,
                            struct outcome *outcome)
{
    bool is_audit = options->policy->mode == MODE_AUDIT;
    struct finding problem = finding_make(
        &outcome->arena, HVCI9053_PACKAGE_REJECTED, LEVEL_ERROR,
        rejected_count == 1 ? "What this file holds is rejected in %zu place, which is named above."
                            : "What this file holds is rejected in %zu places, which are named above.",
        rejected_count);
    problem.cure = "Run enforce on the images before they are packed, then pack again.";
    finding_add(&outcome->problems, &problem);
    if (outcome->status == STATUS_CLEAN)
        outcome->status = STATUS_FINDINGS;
    outcome->enforced = is_audit ? WOULD_REJECT : ENFORCE_REJECTED;
    if (!is_audit)
        outcome->exit_code = exit_code_worse(outcome->exit_code, EXIT_FINDINGS);
}

void enforce_reject(const struct enforce_options *options, struct outcome *outcome)
{
    struct arena *arena = &outcome->arena;
    struct finding error;
    if (outcome->enforced != ENFORCE_REJECTED || options->on_fail == ON_FAIL_KEEP || outcome->container_path)
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
