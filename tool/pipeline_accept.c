/* pipeline_accept.c - the proof of a repair, before it replaces anything.
 * Takes: an outcome with new bytes.  Gives: the written file, or why the bytes were not accepted.
 * Must not: replace a file by what is not proved. */
#include "pipeline_parts.h"

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

enum file_write_result pipeline_accept(struct outcome *outcome, const struct pipeline_options *options,
                                       const struct file_replacement *target, struct finding *error)
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
    struct file_replacement replacement = *target;
    replacement.bytes = emitted; /* what is written is compared with it */
    replacement.accept = accept_written;
    replacement.stop = options->stop;
    replacement.context = &acceptance;
    return file_replace(&replacement, &outcome->arena, error);
}
