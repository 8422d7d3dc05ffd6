/* pipeline_end.c - how an image ends: its status, exit code and what is said of it.
 * Takes: an outcome.  Gives: the same, ended.  Must not: judge, or write. */
#include "pipeline_parts.h"

bool outcome_end(struct outcome *outcome, enum outcome_status status, enum exit_code exit_code)
{
    outcome->status = status;
    outcome->exit_code = exit_code;
    return false;
}

bool outcome_is_stopped(struct outcome *outcome, const struct pipeline_options *options)
{
    if (!options->stop || !atomic_load(options->stop))
        return false;
    outcome->was_stopped = true;
    (void)outcome_end(outcome, STATUS_ERROR, EXIT_INPUT);
    return true;
}

bool outcome_end_out_of_memory(struct outcome *outcome)
{
    outcome->memory_problem = (struct finding){
        .code = HVCI9008_OUT_OF_MEMORY,
        .level = LEVEL_ERROR,
        .rva = NO_RVA,
        .file_offset = NO_FILE_OFFSET,
        .place_count = 1,
        .message = "There was not enough memory for this image.",
        .cure = "Run on a machine with more free memory, or name fewer images at a time.",
    };
    outcome->problems.items = &outcome->memory_problem;
    outcome->problems.count = 1;
    outcome->problems.capacity = 1;
    return outcome_end(outcome, STATUS_ERROR, EXIT_INPUT);
}

bool outcome_end_with_problem(struct outcome *outcome, const struct finding *problem,
                              enum outcome_status status, enum exit_code exit_code)
{
    /* A problem that cannot even be written down is one of memory. */
    if (!finding_add(&outcome->problems, problem) || outcome->arena.exhausted)
        return outcome_end_out_of_memory(outcome);
    return outcome_end(outcome, status, exit_code);
}

bool outcome_end_with_pdb_error(struct outcome *outcome)
{
    const struct finding *error = &outcome->pdb.error;
    if (!outcome->pdb.has_error || error->code == HVCI9008_OUT_OF_MEMORY)
        return outcome_end_out_of_memory(outcome);
    bool is_write = error->code == HVCI9007_CANNOT_WRITE;
    return outcome_end_with_problem(outcome, error, is_write ? STATUS_ERROR : STATUS_REFUSED,
                                    is_write                                 ? EXIT_WRITE
                                    : error->code == HVCI9030_REPAIR_REFUTED ? EXIT_DEFECT
                                                                             : EXIT_FINDINGS);
}

/* A refusal at the place where the verifier stopped, with its reason behind `message`. */
static bool refuse_unproved(struct outcome *outcome, enum finding_code code, const char *message,
                            const char *cure)
{
    struct finding refusal = finding_make(&outcome->arena, code, LEVEL_ERROR,
                                          "%s, so nothing was written: %s", message, outcome->verdict.reason);
    refusal.rva = outcome->verdict.rva;
    refusal.file_offset = outcome->verdict.file_offset;
    refusal.cure = cure;
    return outcome_end_with_problem(outcome, &refusal, STATUS_REFUSED, EXIT_FINDINGS);
}

bool outcome_is_unproved(const struct outcome *outcome)
{
    const struct verify_verdict *verdict = &outcome->verdict;
    return outcome->has_verdict && verdict->result == VERIFY_REFUTED && verdict->right_not_shown;
}

bool outcome_end_refuted(struct outcome *outcome)
{
    if (outcome->arena.exhausted)
        return outcome_end_out_of_memory(outcome);
    const struct verify_verdict *verdict = &outcome->verdict;
    /* Not a wrong repair: the original is too odd for any proof. */
    if (outcome->has_verdict && verdict->result == VERIFY_UNREADABLE && verdict->in_old)
        return refuse_unproved(outcome, HVCI9022_NO_REPAIR, "Nothing about this image can be proved",
                               "Link the image again; a repair needs an image that Windows would load.");
    if (outcome_is_unproved(outcome) && verdict->meaning_not_shown)
        return refuse_unproved(
            outcome, HVCI9023_UNRESOLVED_REFERENCE,
            "The verifier could not show what everything that refers to moved parts means",
            "Look at the place that the message names: keep data out of code sections, arrays away from the "
            "borders of sections, and pages apart at the source (\"hvcifix explain\" with the code of the "
            "finding says how).");
    if (outcome_is_unproved(outcome))
        return refuse_unproved(
            outcome, HVCI9021_SECTION_IS_WRITTEN, "The verifier could not show that the repair is safe",
            "Keep variables, and code that looks like them, out of this section; or take the "
            "write right away at the source (\"hvcifix explain HVCI2102\" says how).");
    struct finding defect =
        finding_make(&outcome->arena, HVCI9030_REPAIR_REFUTED, LEVEL_ERROR,
                     "The repair was not accepted by the verifier, so nothing was written: %s",
                     outcome->has_verdict && outcome->verdict.reason
                         ? outcome->verdict.reason
                         : "a finding that was to be repaired is still there.");
    if (outcome->has_verdict) {
        defect.rva = outcome->verdict.rva;
        defect.file_offset = outcome->verdict.file_offset;
    }
    defect.cure = "This is a defect of hvcifix. Please report it with the image, or with the output of "
                  "\"hvcifix show --regions\" and \"hvcifix fix --dry-run\" when the image cannot be shared.";
    return outcome_end_with_problem(outcome, &defect, STATUS_REFUSED, EXIT_DEFECT);
}

const char *outcome_status_name(enum outcome_status status)
{
    switch (status) {
    case STATUS_CLEAN:
        return "clean";
    case STATUS_FINDINGS:
        return "findings";
    case STATUS_FIXED:
        return "fixed";
    case STATUS_REFUSED:
        return "refused";
    case STATUS_ERROR:
        break;
    }
    return "error";
}

enum exit_code exit_code_worse(enum exit_code a, enum exit_code b)
{
    static const enum exit_code by_weight[] = {EXIT_DEFECT, EXIT_USAGE, EXIT_WRITE, EXIT_INPUT,
                                               EXIT_FINDINGS};
    for (size_t i = 0; i < sizeof by_weight / sizeof by_weight[0]; i++)
        if (a == by_weight[i] || b == by_weight[i])
            return by_weight[i];
    return EXIT_CLEAN;
}
