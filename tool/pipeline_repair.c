/* pipeline_repair.c - the story of one repair: plan, emit, write, and the proof before it replaces anything.
 * Takes: an image that was judged.  Gives: its outcome.  Must not: replace a file by what is not proved. */
#include "pipeline_parts.h"

#include "io/catalog.h"
#include "io/catalog_index.h"

struct acceptance {
    struct outcome *outcome;
    const struct pipeline_options *options;
    bool is_accepted; /* before it was written */
};

bool change_is_for(const struct change *change, const struct finding *finding)
{
    if (change->rule != finding->code || change->kind == CHANGE_NX)
        return false; /* what --nx does not reach stays */
    return change->kind != CHANGE_SECTION_CHARACTERISTICS ||
           change->file_offset - SECTION_CHARACTERISTICS == finding->file_offset;
}

/* Code that has not moved asks for what it asked for before: the verifier has seen that it is the same. */
static bool judge_calls_after(const struct acceptance *acceptance, const struct image *image)
{
    struct outcome *outcome = acceptance->outcome;
    outcome->asked_after = outcome->asked;
    if (!outcome->plan.layout && !acceptance->options->adds_nx)
        return true;
    const struct given_names *names = pipeline_symbols_moved(outcome);
    return names && pipeline_judge_calls(image, NULL, NULL, names, acceptance->options, &outcome->arena,
                                         &outcome->asked_after);
}

/* The written bytes are proved against the original, and judged anew, before they may replace anything. */
static bool accept_repair(const struct acceptance *acceptance, struct span written)
{
    struct outcome *outcome = acceptance->outcome;
    if (outcome_is_stopped(outcome, acceptance->options))
        return false;
    outcome->has_verdict = (outcome->pdb.renews ? verify_pair_with_new_identity : verify_pair)(
        outcome->file.bytes, written, &outcome->arena, &outcome->verdict);
    if (!outcome->has_verdict)
        return false;
    if (outcome_is_stopped(outcome, acceptance->options))
        return false;
    if (outcome->verdict.result != VERIFY_PROVED && outcome->verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
        return false;

    struct image image;
    struct refset refs;
    struct finding error;
    struct finding_list refusals = {0};
    struct rule_answer *answers = arena_array(&outcome->arena, rules_count, sizeof *answers);
    if (!answers || !image_read(written, &outcome->arena, &image, &error) ||
        !refs_collect(&image, &outcome->arena, rules_sources(), &refs) ||
        !judge_calls_after(acceptance, &image) ||
        !pipeline_judge(outcome, &image, &refs, &outcome->asked_after, acceptance->options, &refusals,
                        &outcome->remaining, answers) ||
        refusals.count != 0)
        return false;
    outcome->has_remaining = true;
    /* What was planned must be gone. */
    for (size_t i = 0; i < outcome->plan.change_count; i++)
        for (size_t k = 0; k < outcome->remaining.count; k++)
            if (change_is_for(&outcome->plan.changes[i], &outcome->remaining.items[k]))
                return false;
    /* What was not written down was not judged. */
    return !outcome->arena.exhausted && pipeline_pdb_prove(outcome, acceptance->options, written);
}

/* What may replace the image: it is accepted, what leads back from it is on the disk, and then its PDB is: so
 * `restore` undoes what a run leaves that is ended from here on. */
static bool accept_written(void *context, struct span written)
{
    const struct acceptance *acceptance = context;
    const struct pipeline_options *options = acceptance->options;
    return (acceptance->is_accepted || accept_repair(acceptance, written)) &&
           (!options->leaves_undo || pipeline_leave_undo(acceptance->outcome, options, written)) &&
           pipeline_pdb_write(acceptance->outcome, options);
}

/* Is what is written put in the place of what was read? */
static bool replaces_input(const struct outcome *outcome, const struct pipeline_options *options)
{
    struct file_identity output;
    return !options->output_path || (file_identify(options->output_path, &output) &&
                                     file_identity_is_equal(&output, &outcome->file.state.identity));
}

enum { MOST_LAYOUTS = 12 };

/* Layouts that the verifier has seen. */
struct tried_layouts {
    const struct layout *layouts[MOST_LAYOUTS];
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
    if (!plan.layout || tried->count == MOST_LAYOUTS)
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

/* Emits and writes what is planned. */
static enum file_write_result write_plan(struct outcome *outcome, const struct pipeline_options *options,
                                         struct file_replacement *replacement, struct finding *error)
{
    struct acceptance acceptance = {.outcome = outcome, .options = options};
    struct span emitted = {outcome->output.bytes, outcome->output.nbytes};
    acceptance.is_accepted = options->dry_run || options->in_memory || options->seal;
    if (acceptance.is_accepted && !accept_repair(&acceptance, emitted))
        return FILE_NOT_ACCEPTED;
    if (!options->dry_run && options->seal) {
        struct span sealed;
        if (!options->seal->run(options->seal->context, outcome, emitted, &sealed, error))
            return FILE_WRITE_FAILED;
        outcome->output = (struct output){(uint8_t *)(uintptr_t)sealed.bytes, sealed.nbytes};
        emitted = sealed;
    }
    if (options->dry_run || options->in_memory)
        return FILE_WRITTEN;
    replacement->bytes = emitted; /* what is written is compared with it */
    replacement->accept = accept_written;
    replacement->stop = options->stop;
    replacement->context = &acceptance;
    return file_replace(replacement, &outcome->arena, error);
}

/* *again: one import's stub could not be proved; without it the rest may be. */
static bool repair(struct outcome *outcome, const struct pipeline_options *options, bool *again)
{
    struct arena *arena = &outcome->arena;
    struct finding error;

    bool is_spared = options->spares_signed && options->only_count == 0 &&
                     finding_worst(&outcome->findings) < LEVEL_WARNING;
    bool drops_signature = options->drop_signature && !is_spared;
    struct plan_options plan_options = {.drop_signature = drops_signature,
                                        .only = options->only,
                                        .only_count = options->only_count,
                                        .enforced = options->enforces ? options->policy : NULL,
                                        .target = options->target};
    if (!pipeline_nx_plan(outcome, options, &plan_options))
        return false;
    if (!plan_make(&outcome->image, &outcome->refs, &outcome->code, &outcome->findings, &plan_options, arena,
                   &outcome->plan))
        return outcome_end_out_of_memory(outcome);
    /* A catalog counts as a signature. It matters, and is looked for, only when something would change. */
    if (outcome->plan.verdict == PLAN_CHANGE && !outcome->image.is_signed && !drops_signature) {
        if (options->catalogs) {
            if (finding_worst(&outcome->findings) < LEVEL_WARNING &&
                !catalog_index_find(options->catalogs, &outcome->image, &plan_options.catalog))
                return outcome_end_out_of_memory(outcome);
        } else if (!catalog_lists_image(outcome->path, &outcome->image, arena, &plan_options.catalog,
                                        &error)) {
            error.cure = "Make the folder of the image and the catalogs in it readable, or pass "
                         "--drop-signature, which repairs the image whatever catalog lists it.";
            return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
        }
        if (plan_options.catalog && !plan_make(&outcome->image, &outcome->refs, &outcome->code,
                                               &outcome->findings, &plan_options, arena, &outcome->plan))
            return outcome_end_out_of_memory(outcome);
    }
    if (outcome_is_stopped(outcome, options))
        return false;
    outcome->has_plan = true;
    if (outcome->plan.remark)
        outcome->remark = outcome->plan.remark;
    /* From here on every change is decided. */

    struct file_replacement replacement = {
        .path = options->output_path ? options->output_path : outcome->path,
        .mode = outcome->file.mode,
        .expected = replaces_input(outcome, options) ? &outcome->file.state : NULL};
    if (outcome->plan.verdict == PLAN_REFUSED) {
        for (size_t i = 0; i < outcome->plan.refusals.count; i++)
            finding_add(&outcome->problems, &outcome->plan.refusals.items[i]);
        return outcome_end(outcome, STATUS_REFUSED, EXIT_FINDINGS);
    }
    if (outcome->plan.verdict == PLAN_NO_CHANGE) {
        enum outcome_status status = outcome->findings.count != 0 ? STATUS_FINDINGS : STATUS_CLEAN;
        bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
        if (options->output_path && !options->dry_run && !options->in_memory && !has_errors) {
            replacement.bytes = outcome->file.bytes;
            if (file_replace(&replacement, arena, &error) != FILE_WRITTEN)
                return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_WRITE);
            outcome->wrote = true;
        }
        return outcome_end(outcome, status, has_errors ? EXIT_FINDINGS : EXIT_CLEAN);
    }

    bool is_first = outcome->nx_given_up.count == 0;
    if (is_first && !pipeline_pdb_find(outcome, options))
        return false;
    struct tried_layouts tried = {.count = 0};
    struct plan first_plan = outcome->plan;
    struct verify_verdict first_verdict = {0};
    for (;;) {
        if (outcome_is_stopped(outcome, options))
            return false;
        if (!emit_image(&outcome->image, &outcome->refs, &outcome->plan, arena, &outcome->output, &error) ||
            (plan_options.nx && !pipeline_nx_emit(outcome, options, plan_options.nx, &error)))
            return outcome_end_with_problem(outcome, &error, STATUS_REFUSED, EXIT_FINDINGS);
        if (!pipeline_pdb_renew(outcome, options))
            return outcome_end_with_pdb_error(outcome);
        /* The new bytes are final; what follows can only accept or refuse them. */
        enum file_write_result result = write_plan(outcome, options, &replacement, &error);
        if (result == FILE_WRITTEN)
            break;
        pipeline_pdb_take_back(outcome);
        pipeline_take_undo_back(outcome);
        if (outcome->pdb.has_error)
            return outcome_end_with_pdb_error(outcome);
        if (result == FILE_WRITE_FAILED)
            return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_WRITE);
        if (outcome->undo.has_failed)
            return outcome_end_with_problem(outcome, &outcome->undo.error, STATUS_ERROR, EXIT_WRITE);
        if (outcome_is_stopped(outcome, options))
            return false;
        if (!outcome_is_unproved(outcome) || arena->exhausted)
            return outcome_end_refuted(outcome);
        *again = plan_options.nx && pipeline_nx_give_up(outcome, plan_options.nx);
        if (*again)
            return false;
        if (tried.count == 0)
            first_verdict = outcome->verdict;
        if (!plan_other_layout(outcome, &plan_options, &tried)) {
            /* What was tried first is what one would rather have. */
            outcome->verdict = first_verdict;
            outcome->plan = first_plan;
            return outcome_end_refuted(outcome);
        }
    }
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
    return false;
}
