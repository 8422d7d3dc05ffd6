/* pipeline_repair.c - the story of one repair: plan, emit, and again until what was made is accepted.
 * Takes: an image that was judged.  Gives: its outcome.  Must not: write what is not accepted
 * (pipeline_accept.c). */
#include "pipeline_parts.h"

#include "io/catalog.h"
#include "io/catalog_index.h"

/* Is what is written put in the place of what was read? */
static bool replaces_input(const struct outcome *outcome, const struct pipeline_options *options)
{
    struct file_identity output;
    return !options->output_path || (file_identify(options->output_path, &output) &&
                                     file_identity_is_equal(&output, &outcome->file.state.identity));
}

/* Layouts that the verifier has seen. */
struct tried_layouts {
    const struct layout *layouts[PLAN_MOST_LAYOUTS];
    size_t count;
};

static bool was_tried(const struct tried_layouts *tried, const struct layout *layout)
{
    for (size_t i = 0; i < tried->count; i++)
        if (layout_is_same(tried->layouts[i], layout))
            return true;
    return false;
}

/* Another layout, in place of one that could not be proved. False when there is none that is left, or memory
 * ran out; the plan stays then. */
static bool plan_other_layout(struct outcome *outcome, const struct plan_options *options,
                              struct tried_layouts *tried)
{
    struct plan_options next = *options;
    struct plan plan = outcome->plan;
    if (!plan.layout || tried->count == PLAN_MOST_LAYOUTS)
        return false;
    tried->layouts[tried->count++] = plan.layout;
    while (plan.has_other_layouts) {
        next.first_layout = plan.layout_number + 1;
        if (!plan_make(&outcome->image, &outcome->refs, &outcome->code, &outcome->findings, &next,
                       &outcome->arena, &plan) ||
            plan.verdict != PLAN_CHANGE || !plan.layout)
            return false;
        if (was_tried(tried, plan.layout))
            continue;
        outcome->plan = plan;
        return true;
    }
    return false;
}

/* Every change is decided. False when the image has ended. */
static bool make_plan(struct outcome *outcome, const struct pipeline_options *options,
                      struct plan_options *plan_options)
{
    struct arena *arena = &outcome->arena;
    struct finding error;
    if (!pipeline_nx_plan(outcome, options, plan_options))
        return false;
    if (!plan_make(&outcome->image, &outcome->refs, &outcome->code, &outcome->findings, plan_options, arena,
                   &outcome->plan))
        return outcome_end_out_of_memory(outcome);
    /* A catalog counts as a signature. It matters, and is looked for, only when something would change. */
    if (outcome->plan.verdict != PLAN_CHANGE || outcome->image.is_signed || plan_options->drop_signature)
        return true;
    if (options->catalogs) {
        if (finding_worst(&outcome->findings) < LEVEL_WARNING &&
            !catalog_index_find(options->catalogs, &outcome->image, &plan_options->catalog))
            return outcome_end_out_of_memory(outcome);
    } else if (!catalog_lists_image(outcome->path, &outcome->image, arena, &plan_options->catalog, &error)) {
        error.cure = "Make the folder of the image and the catalogs in it readable, or pass "
                     "--drop-signature, which repairs the image whatever catalog lists it.";
        return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
    }
    if (plan_options->catalog && !plan_make(&outcome->image, &outcome->refs, &outcome->code,
                                            &outcome->findings, plan_options, arena, &outcome->plan))
        return outcome_end_out_of_memory(outcome);
    return true;
}

static struct file_replacement target_of(const struct outcome *outcome,
                                         const struct pipeline_options *options)
{
    return (struct file_replacement){.path = options->output_path ? options->output_path : outcome->path,
                                     .mode = outcome->file.mode,
                                     .expected =
                                         replaces_input(outcome, options) ? &outcome->file.state : NULL};
}

/* The image stays as it is; where another file was asked for, that is the same. */
static bool end_without_change(struct outcome *outcome, const struct pipeline_options *options,
                               const struct file_replacement *target)
{
    struct file_replacement replacement = *target;
    struct finding error;
    enum outcome_status status = outcome->findings.count != 0 ? STATUS_FINDINGS : STATUS_CLEAN;
    bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
    if (options->output_path && !options->dry_run && !options->in_memory && !has_errors) {
        replacement.bytes = outcome->file.bytes;
        if (file_replace(&replacement, &outcome->arena, &error) != FILE_WRITTEN)
            return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_WRITE);
        outcome->wrote = true;
    }
    return outcome_end(outcome, status, has_errors ? EXIT_FINDINGS : EXIT_CLEAN);
}

static bool is_about_proof(enum finding_code code)
{
    return code == HVCI9021_SECTION_IS_WRITTEN || code == HVCI9022_NO_REPAIR ||
           code == HVCI9023_UNRESOLVED_REFERENCE;
}

/* Memory integrity does not judge an image that is none of the kernel's, so its findings are notes. One that
 * cannot be repaired is no failure then, as in enforce: the image stays as it is, and the reason is a note.
 */
static void leave_unjudged(struct outcome *outcome, const struct pipeline_options *options)
{
    if (outcome->status != STATUS_REFUSED || outcome->exit_code != EXIT_FINDINGS ||
        outcome->image.role == ROLE_KERNEL || options->enforces || options->only_count != 0 ||
        finding_worst(&outcome->findings) == LEVEL_ERROR)
        return;
    for (size_t i = 0; i < outcome->problems.count; i++)
        if (!is_about_proof(outcome->problems.items[i].code))
            return;
    for (size_t i = 0; i < outcome->problems.count; i++)
        outcome->problems.items[i].level = LEVEL_NOTE;
    outcome->remark =
        "Nothing was repaired: memory integrity does not judge this image, and not every repair "
        "of it can be proved.";
    outcome->plan = (struct plan){.verdict = PLAN_NO_CHANGE, .new_file_nbytes = outcome->file.bytes.nbytes};
    outcome->has_verdict = false;
    const struct file_replacement target = target_of(outcome, options);
    (void)end_without_change(outcome, options, &target);
}

/* Nothing was written. True when all that is missing is the proof, which another layout may have; else the
 * image has ended. */
static bool may_try_again(struct outcome *outcome, const struct pipeline_options *options,
                          enum file_write_result result, const struct finding *error)
{
    if (outcome->pdb.has_error)
        return outcome_end_with_pdb_error(outcome);
    if (result == FILE_WRITE_FAILED)
        return outcome_end_with_problem(outcome, error, STATUS_ERROR, EXIT_WRITE);
    if (outcome->undo.has_failed)
        return outcome_end_with_problem(outcome, &outcome->undo.error, STATUS_ERROR, EXIT_WRITE);
    if (outcome_is_stopped(outcome, options))
        return false;
    return (outcome_is_unproved(outcome) && !outcome->arena.exhausted) || outcome_end_refuted(outcome);
}

enum attempt { ATTEMPT_WRITTEN, ATTEMPT_ENDED, ATTEMPT_FAILED };

/* What became of the layouts so far. What was tried first is what one would rather have, so it is what a
 * refusal is about. */
struct attempts {
    struct tried_layouts tried;
    bool has_verdict, has_error, has_doubt;
    struct plan first_plan; /* with the first verdict */
    struct verify_verdict first_verdict;
    struct finding first_error; /* calls could not be led through stubs in the first layout that says so */
    struct nx_left doubt;       /* the first import whose stub was not proved */
};

/* One layout: makes and writes it. A failed one may do in another layout. */
static enum attempt write_layout(struct outcome *outcome, const struct pipeline_options *options,
                                 const struct plan_options *plan_options,
                                 const struct file_replacement *target, struct attempts *attempts)
{
    struct finding error;
    if (!emit_image(&outcome->image, &outcome->refs, &outcome->plan, &outcome->arena, &outcome->output,
                    &error)) {
        outcome_end_with_problem(outcome, &error, STATUS_REFUSED, EXIT_FINDINGS);
        return ATTEMPT_ENDED;
    }
    if (plan_options->nx && !pipeline_nx_emit(outcome, options, plan_options->nx, &error)) {
        if (!attempts->has_error)
            attempts->first_error = error;
        attempts->has_error = true;
        if (!attempts->has_doubt && error.code == HVCI9022_NO_REPAIR)
            attempts->has_doubt = pipeline_nx_lost(outcome, plan_options->nx, &attempts->doubt);
        return ATTEMPT_FAILED;
    }
    if (!pipeline_pdb_renew(outcome, options)) {
        outcome_end_with_pdb_error(outcome);
        return ATTEMPT_ENDED;
    }
    /* The new bytes are final; what follows can only accept or refuse them. */
    enum file_write_result result = pipeline_accept(outcome, options, target, &error);
    if (result == FILE_WRITTEN)
        return ATTEMPT_WRITTEN;
    pipeline_pdb_take_back(outcome);
    pipeline_take_undo_back(outcome);
    if (!may_try_again(outcome, options, result, &error))
        return ATTEMPT_ENDED;
    if (plan_options->nx && !attempts->has_doubt)
        attempts->has_doubt = pipeline_nx_doubt(outcome, plan_options->nx, &attempts->doubt);
    if (!attempts->has_verdict) {
        attempts->first_verdict = outcome->verdict;
        attempts->first_plan = outcome->plan;
    }
    attempts->has_verdict = true;
    return ATTEMPT_FAILED;
}

/* Makes and writes what is planned, one layout after the other until one is proved. False when the image has
 * ended, or *again: in no layout all is proved, and one import's stub is among what is not; without it the
 * rest may be. */
static bool write_first_proved(struct outcome *outcome, const struct pipeline_options *options,
                               const struct plan_options *plan_options, const struct file_replacement *target,
                               bool *again)
{
    struct attempts attempts = {.has_verdict = false};
    for (;;) {
        if (outcome_is_stopped(outcome, options) || !pipeline_pdb_find(outcome, options))
            return false;
        enum attempt attempt = write_layout(outcome, options, plan_options, target, &attempts);
        if (attempt != ATTEMPT_FAILED)
            return attempt == ATTEMPT_WRITTEN;
        if (plan_other_layout(outcome, plan_options, &attempts.tried))
            continue;
        *again = attempts.has_doubt && pipeline_nx_give_up(outcome, &attempts.doubt);
        if (*again)
            return false;
        if (!attempts.has_verdict)
            return outcome_end_with_problem(outcome, &attempts.first_error, STATUS_REFUSED, EXIT_FINDINGS);
        outcome->verdict = attempts.first_verdict;
        outcome->plan = attempts.first_plan;
        return outcome_end_refuted(outcome);
    }
}

/* *again as in write_first_proved(). */
static bool repair(struct outcome *outcome, const struct pipeline_options *options, bool *again)
{
    bool is_spared = options->spares_signed && options->only_count == 0 &&
                     finding_worst(&outcome->findings) < LEVEL_WARNING;
    struct plan_options plan_options = {.drop_signature = options->drop_signature && !is_spared,
                                        .only = options->only,
                                        .only_count = options->only_count,
                                        .enforced = options->enforces ? options->policy : NULL,
                                        .target = options->target};
    if (!make_plan(outcome, options, &plan_options) || outcome_is_stopped(outcome, options))
        return false;
    outcome->has_plan = true;
    if (outcome->plan.remark)
        outcome->remark = outcome->plan.remark;
    /* From here on every change is decided. */

    const struct file_replacement target = target_of(outcome, options);
    if (outcome->plan.verdict == PLAN_REFUSED) {
        for (size_t i = 0; i < outcome->plan.refusals.count; i++)
            finding_add(&outcome->problems, &outcome->plan.refusals.items[i]);
        return outcome_end(outcome, STATUS_REFUSED, EXIT_FINDINGS);
    }
    if (outcome->plan.verdict == PLAN_NO_CHANGE)
        return end_without_change(outcome, options, &target);

    if (!write_first_proved(outcome, options, &plan_options, &target, again))
        return false;
    /* From here on the proved bytes are written, or would be. */

    outcome->wrote = !options->dry_run && !options->in_memory;
    pipeline_pdb_end(outcome, options);
    bool errors_remain = finding_worst(&outcome->remaining) == LEVEL_ERROR;
    return outcome_end(outcome, STATUS_FIXED, errors_remain ? EXIT_FINDINGS : EXIT_CLEAN);
}

bool pipeline_repair(struct outcome *outcome, const struct pipeline_options *options)
{
    size_t note_count = outcome->image.notes.count;
    const char *remark = outcome->remark;
    bool again = true;
    while (again) {
        outcome->image.notes.count = note_count; /* what is left is said anew */
        outcome->remark = remark;
        again = false;
        (void)repair(outcome, options, &again);
    }
    leave_unjudged(outcome, options);
    return false;
}
