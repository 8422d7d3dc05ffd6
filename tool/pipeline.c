/* pipeline.c - the story of one image, from its bytes to the verdict, one call a stage.
 * Takes: a path and options.  Gives: struct outcome.  Must not: print, exit, or keep anything between images.
 */
#include "pipeline.h"

#include "image/loader_rules.h"
#include "io/catalog.h"
#include "rules/loader_relocations.h"

static bool end_with(struct outcome *outcome, enum outcome_status status, enum exit_code exit_code)
{
    outcome->status = status;
    outcome->exit_code = exit_code;
    return false;
}

/* Memory is the one failure that can meet every stage; the text must not need memory itself. */
static bool end_out_of_memory(struct outcome *outcome)
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
    return end_with(outcome, STATUS_ERROR, EXIT_INPUT);
}

static bool end_with_problem(struct outcome *outcome, const struct finding *problem,
                             enum outcome_status status, enum exit_code exit_code)
{
    /* A problem that cannot even be written down is one of memory. */
    if (!finding_add(&outcome->problems, problem) || outcome->arena.exhausted)
        return end_out_of_memory(outcome);
    return end_with(outcome, status, exit_code);
}

/* Asks whether Windows would load the image, and all rules about it. What every Windows refuses goes to
 * `refusals`, all else to `findings`. */
static bool judge(struct outcome *outcome, const struct image *image, const struct refset *refs,
                  const struct pipeline_options *options, struct finding_list *refusals,
                  struct finding_list *findings, struct rule_answer *answers)
{
    struct rule_input input = {image, refs, options->target, &outcome->arena, findings};
    refusals->arena = findings->arena = &outcome->arena;
    if (!loader_rules_judge(image, refusals, findings) || !loader_relocations_judge(image, refs, findings) ||
        !rules_judge(&input, answers))
        return false;
    return !options->policy || policy_judge(options->policy, outcome->path, image, findings,
                                            outcome->waiver_uses, &outcome->arena);
}

/* A damaged table that a rule looks at: whatever the rules answer, they have not seen all of it, so the image
 * must not pass for clean. Tables that no rule looks at are shown by `show` only. */
static bool report_damage(struct outcome *outcome, const struct refset *refs)
{
    if (!(refs->damaged & rules_sources()))
        return true;
    for (size_t i = 0; i < refs->problem_count; i++) {
        const struct ref_problem *problem = &refs->problems[i];
        if (problem->is_limit || !(rules_sources() & SOURCE_BIT(problem->source)))
            continue;
        struct finding finding =
            finding_make(&outcome->arena, HVCI9004_MALFORMED_TABLE, LEVEL_ERROR,
                         "A table that the rules look at is damaged: %s", problem->reason);
        finding.rva = problem->rva;
        finding.file_offset = problem->file_offset;
        finding.windows = "Windows may refuse the image, or read it differently from what is judged here.";
        finding.cure = "Link the image again; if it is as the linker wrote it, report the linker.";
        if (!finding_add(&outcome->problems, &finding))
            return false;
    }
    return true;
}

struct acceptance {
    struct outcome *outcome;
    const struct pipeline_options *options;
};

/* Section headers keep their places in the file; a new layout cures all findings of its rule. */
static bool is_still_there(const struct change *change, const struct finding *finding)
{
    if (change->rule != finding->code)
        return false;
    return change->kind == CHANGE_LAYOUT ||
           change->file_offset - SECTION_CHARACTERISTICS == finding->file_offset;
}

/* The written bytes are proved against the original, and judged anew, before they may replace anything. */
static bool accept_repair(void *context, struct span written)
{
    struct acceptance *acceptance = context;
    struct outcome *outcome = acceptance->outcome;
    outcome->has_verdict = verify_pair(outcome->file.bytes, written, &outcome->arena, &outcome->verdict);
    if (!outcome->has_verdict)
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
        !judge(outcome, &image, &refs, acceptance->options, &refusals, &outcome->remaining, answers) ||
        refusals.count != 0)
        return false;
    outcome->has_remaining = true;
    /* What was planned must be gone. */
    for (size_t i = 0; i < outcome->plan.change_count; i++)
        for (size_t k = 0; k < outcome->remaining.count; k++)
            if (is_still_there(&outcome->plan.changes[i], &outcome->remaining.items[k]))
                return false;
    return !outcome->arena.exhausted; /* what was not written down was not judged */
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
    return end_with_problem(outcome, &refusal, STATUS_REFUSED, EXIT_FINDINGS);
}

/* Two judges look in different ways; where one is not convinced, nothing is proved, and nothing is wrong. */
static bool is_unproved(const struct outcome *outcome)
{
    const struct verify_verdict *verdict = &outcome->verdict;
    return outcome->has_verdict && verdict->result == VERIFY_REFUTED && verdict->right_not_shown;
}

/* A rewrite of ours that our verifier refuted: nothing was written. */
static bool end_refuted(struct outcome *outcome)
{
    if (outcome->arena.exhausted)
        return end_out_of_memory(outcome);
    const struct verify_verdict *verdict = &outcome->verdict;
    /* Not a wrong repair: the original is too odd for any proof. */
    if (outcome->has_verdict && verdict->result == VERIFY_UNREADABLE && verdict->in_old)
        return refuse_unproved(outcome, HVCI9022_NO_REPAIR, "Nothing about this image can be proved",
                               "Link the image again; a repair needs an image that Windows would load.");
    if (is_unproved(outcome) && verdict->meaning_not_shown)
        return refuse_unproved(
            outcome, HVCI9023_UNRESOLVED_REFERENCE,
            "The verifier could not show what everything that refers to moved parts means",
            "Look at the place that the message names: keep data out of code sections, arrays away from the "
            "borders of sections, and pages apart at the source (\"hvcifix explain\" with the code of the "
            "finding says how).");
    if (is_unproved(outcome))
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
    return end_with_problem(outcome, &defect, STATUS_REFUSED, EXIT_DEFECT);
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
    struct acceptance acceptance = {outcome, options};
    struct span emitted = {outcome->output.bytes, outcome->output.nbytes};
    if (options->dry_run)
        return accept_repair(&acceptance, emitted) ? FILE_WRITTEN : FILE_NOT_ACCEPTED;
    replacement->bytes = emitted;
    replacement->accept = accept_repair;
    replacement->context = &acceptance;
    return file_replace(replacement, &outcome->arena, error);
}

/* Stages plan to verify. */
static bool repair(struct outcome *outcome, const struct pipeline_options *options)
{
    struct arena *arena = &outcome->arena;
    struct finding error;

    struct plan_options plan_options = {.drop_signature = options->drop_signature,
                                        .only = options->only,
                                        .only_count = options->only_count,
                                        .kept = options->kept,
                                        .kept_count = options->kept_count,
                                        .by_policy = options->by_policy,
                                        .target = options->target};
    if (!plan_make(&outcome->image, &outcome->refs, &outcome->code, &outcome->findings, &plan_options, arena,
                   &outcome->plan))
        return end_out_of_memory(outcome);
    /* A catalog counts as a signature. It matters, and is looked for, only when something would change. */
    if (outcome->plan.verdict == PLAN_CHANGE && !outcome->image.is_signed && !options->drop_signature) {
        if (!catalog_lists_image(outcome->path, &outcome->image, arena, &plan_options.catalog, &error)) {
            error.cure = "Make the folder of the image and the catalogs in it readable, or pass "
                         "--drop-signature, which repairs the image whatever catalog lists it.";
            return end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
        }
        if (plan_options.catalog && !plan_make(&outcome->image, &outcome->refs, &outcome->code,
                                               &outcome->findings, &plan_options, arena, &outcome->plan))
            return end_out_of_memory(outcome);
    }
    outcome->has_plan = true;
    outcome->remark = outcome->plan.remark;
    /* From here on every change is decided. */

    struct file_replacement replacement = {
        .path = options->output_path ? options->output_path : outcome->path,
        .mode = outcome->file.mode,
        .expected = replaces_input(outcome, options) ? &outcome->file.state : NULL};
    if (outcome->plan.verdict == PLAN_REFUSED) {
        for (size_t i = 0; i < outcome->plan.refusals.count; i++)
            finding_add(&outcome->problems, &outcome->plan.refusals.items[i]);
        return end_with(outcome, STATUS_REFUSED, EXIT_FINDINGS);
    }
    if (outcome->plan.verdict == PLAN_NO_CHANGE) {
        enum outcome_status status = outcome->findings.count != 0 ? STATUS_FINDINGS : STATUS_CLEAN;
        bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
        if (options->output_path && !options->dry_run && !has_errors) {
            replacement.bytes = outcome->file.bytes;
            if (file_replace(&replacement, arena, &error) != FILE_WRITTEN)
                return end_with_problem(outcome, &error, STATUS_ERROR, EXIT_WRITE);
            outcome->wrote = true;
        }
        return end_with(outcome, status, has_errors ? EXIT_FINDINGS : EXIT_CLEAN);
    }

    struct tried_layouts tried = {.count = 0};
    struct plan first_plan = outcome->plan;
    struct verify_verdict first_verdict = {0};
    for (;;) {
        if (!emit_image(&outcome->image, &outcome->refs, &outcome->plan, arena, &outcome->output, &error))
            return end_with_problem(outcome, &error, STATUS_REFUSED, EXIT_FINDINGS);
        /* The new bytes are final; what follows can only accept or refuse them. */
        enum file_write_result result = write_plan(outcome, options, &replacement, &error);
        if (result == FILE_WRITE_FAILED)
            return end_with_problem(outcome, &error, STATUS_ERROR, EXIT_WRITE);
        if (result == FILE_WRITTEN)
            break;
        if (!is_unproved(outcome) || arena->exhausted)
            return end_refuted(outcome);
        if (tried.count == 0)
            first_verdict = outcome->verdict;
        if (!plan_other_layout(outcome, &plan_options, &tried)) {
            /* What was tried first is what one would rather have. */
            outcome->verdict = first_verdict;
            outcome->plan = first_plan;
            return end_refuted(outcome);
        }
    }
    outcome->wrote = !options->dry_run;
    bool errors_remain = finding_worst(&outcome->remaining) == LEVEL_ERROR;
    return end_with(outcome, STATUS_FIXED, errors_remain ? EXIT_FINDINGS : EXIT_CLEAN);
}

/* An image of which an error would be left on purpose is not changed at all. */
static bool may_be_repaired(const struct outcome *outcome, const struct pipeline_options *options)
{
    if (options->by_policy && outcome->image.role != ROLE_KERNEL)
        return false;
    for (size_t i = 0; i < outcome->findings.count; i++)
        for (size_t k = 0; k < options->kept_count; k++)
            if (outcome->findings.items[i].level == LEVEL_ERROR &&
                outcome->findings.items[i].code == options->kept[k])
                return false;
    return true;
}

/* The stages in their order. The return value only ends the sequence; outcome says all. */
static bool run(struct outcome *outcome, const struct pipeline_options *options)
{
    struct arena *arena = &outcome->arena;
    struct finding error;

    if (!file_read(outcome->path, arena, &outcome->file, &error))
        return end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
    /* From here on the input's bytes never change. */

    if (!image_read(outcome->file.bytes, arena, &outcome->image, &error))
        return end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
    outcome->has_image = true;
    /* From here on every byte belongs to one region. */

    uint32_t sources = options->goal == GOAL_CHECK ? rules_sources() : SOURCE_ALL;
    if (!refs_collect(&outcome->image, arena, sources, &outcome->refs))
        return end_out_of_memory(outcome);
    if (options->goal != GOAL_CHECK && !options->no_code) {
        outcome->has_code = code_read(&outcome->image, &outcome->refs, arena, &outcome->code);
        if (!outcome->has_code)
            return end_out_of_memory(outcome);
    }
    /* From here on every place that holds an address is known, or is listed as not understood. */

    /* Where tables overlap, which one has a field depends on which were asked for. The rules always see the
     * same. */
    struct refset rule_refs = outcome->refs;
    if (sources != rules_sources() && !refs_collect(&outcome->image, arena, rules_sources(), &rule_refs))
        return end_out_of_memory(outcome);
    outcome->answers = arena_array(arena, rules_count, sizeof *outcome->answers);
    if (options->policy)
        outcome->waiver_uses =
            arena_array(arena, options->policy->waiver_count, sizeof *outcome->waiver_uses);
    if (!outcome->answers || !judge(outcome, &outcome->image, &rule_refs, options, &outcome->problems,
                                    &outcome->findings, outcome->answers))
        return end_out_of_memory(outcome);
    outcome->judged = true;
    if (!report_damage(outcome, &rule_refs))
        return end_out_of_memory(outcome);
    /* From here on the findings stand; nothing has been modified. */

    if (outcome->problems.count != 0 && options->goal != GOAL_SHOW)
        return end_with(outcome, STATUS_ERROR, EXIT_INPUT);
    if (options->goal == GOAL_FIX && may_be_repaired(outcome, options))
        return repair(outcome, options);
    bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
    bool is_clean = outcome->findings.count == 0 && outcome->problems.count == 0;
    return end_with(outcome, is_clean ? STATUS_CLEAN : STATUS_FINDINGS,
                    has_errors && options->goal != GOAL_SHOW ? EXIT_FINDINGS : EXIT_CLEAN);
}

void pipeline_run(const char *path, const struct pipeline_options *options, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    arena_init(&outcome->arena, options->allocator);
    arena_use_stock(&outcome->arena, options->stock);
    outcome->path = path;
    outcome->target = options->target;
    outcome->output_path = options->goal == GOAL_FIX && !options->dry_run ? options->output_path : NULL;
    outcome->findings.arena = outcome->problems.arena = outcome->remaining.arena = &outcome->arena;
    (void)run(outcome, options);
    if (outcome->arena.exhausted && outcome->status != STATUS_ERROR && !outcome->wrote)
        (void)end_out_of_memory(outcome);
}

void pipeline_release(struct outcome *outcome)
{
    arena_free(&outcome->arena);
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
