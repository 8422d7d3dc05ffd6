/* pipeline.c - the story of one image, from its bytes to the verdict, one call a stage.
 * Takes: a path or bytes, and options.  Gives: struct outcome.  Must not: print, exit, or keep anything
 * between images.
 */
#include "pipeline_parts.h"

#include "image/loader_rules.h"
#include "io/signature_read.h"
#include "rules/loader_relocations.h"

/* What of build policy is asked: by the policy; of all that is left, for a look; by name, for a repair. */
static void set_demands(struct outcome *outcome, const struct pipeline_options *options)
{
    if (options->policy)
        policy_demands(options->policy, &outcome->demands);
    if (options->all_rules)
        demand_ask_rest(&outcome->demands, LEVEL_NOTE);
    for (size_t i = 0; i < options->only_count; i++)
        demand_ask(&outcome->demands, demand_of_code(options->only[i]), LEVEL_NOTE);
}

static bool asks_for_calls(const struct pipeline_options *options)
{
    for (size_t i = 0; i < options->only_count; i++)
        if (rule_is_about_calls(options->only[i]))
            return true;
    return options->judges_calls || options->adds_nx;
}

bool pipeline_judge_calls(const struct image *image, const struct refset *refs, const struct code_map *code,
                          const struct given_names *names, const struct pipeline_options *options,
                          struct arena *arena, struct call_judgement *judgement)
{
    if (!asks_for_calls(options))
        return calls_leave(image, CALLS_NOT_ASKED,
                           "\"hvcifix check\" judges what the code asks for, \"fix --nx\" changes it", arena,
                           judgement);
    if (options->no_code)
        return calls_leave(image, CALLS_SWITCHED_OFF, "--no-code was given", arena, judgement);
    return calls_judge(image, refs, code, names, arena, judgement);
}

bool pipeline_judge(struct outcome *outcome, const struct image *image, const struct refset *refs,
                    const struct call_judgement *calls, const struct pipeline_options *options,
                    struct finding_list *refusals, struct finding_list *findings, struct rule_answer *answers)
{
    struct signature_facts signature;
    unsigned questions = (demand_is_asked(&outcome->demands, DEMAND_SIGNATURE) ? ASK_CATALOG : 0u) |
                         (demand_is_asked(&outcome->demands, DEMAND_STALE_SIGNATURE) ? ASK_DIGEST : 0u);
    signature_read(outcome->container_path ? NULL : outcome->path, image, questions, &outcome->arena,
                   &signature);
    struct rule_input input = {.image = image,
                               .refs = refs,
                               .target = options->target,
                               .arena = &outcome->arena,
                               .findings = findings,
                               .demands = &outcome->demands,
                               .signature = &signature,
                               .calls = calls};
    refusals->arena = findings->arena = &outcome->arena;
    if (!loader_rules_judge(image, refusals, findings) || !loader_relocations_judge(image, refs, findings) ||
        !rules_judge(&input, answers))
        return false;
    if (options->policy &&
        !policy_judge(options->policy, outcome->path, image, findings, outcome->waiver_uses, &outcome->arena))
        return false;
    return baseline_mark(&options->baseline, outcome->path, image, true, findings, &outcome->arena);
}

/* A damaged table that a rule looks at: whatever the rules answer, they have not seen all of it, so the image
 * must not pass for clean. Tables on which no answer depends (no loader reads debug data) are shown by `show`
 * only; a repair needs them whole nevertheless (plan/plan_damage.c). */
static bool report_damage(struct outcome *outcome, const struct refset *refs)
{
    uint32_t sources = rules_deciding_sources();
    bool is_firmware = outcome->image.role == ROLE_FIRMWARE;
    if (!(refs->damaged & sources))
        return true;
    for (size_t i = 0; i < refs->problem_count; i++) {
        const struct ref_problem *problem = &refs->problems[i];
        if (problem->is_limit || !(sources & SOURCE_BIT(problem->source)))
            continue;
        struct finding finding =
            finding_make(&outcome->arena, HVCI9004_MALFORMED_TABLE, LEVEL_ERROR,
                         "A table that the rules look at is damaged: %s", problem->reason);
        finding.rva = problem->rva;
        finding.file_offset = problem->file_offset;
        finding.windows =
            is_firmware
                ? "What loads the image may refuse it, or read it differently from what is judged here."
                : "Windows may refuse the image, or read it differently from what is judged here.";
        finding.cure = "Link the image again; if it is as the linker wrote it, report the linker.";
        if (!finding_add(&outcome->problems, &finding))
            return false;
    }
    return true;
}

/* An image of which an error would be left on purpose is not changed at all; the remark says so. */
static bool may_be_repaired(struct outcome *outcome, const struct pipeline_options *options)
{
    if ((options->enforces || options->only_kernel) && outcome->image.role != ROLE_KERNEL)
        return false;
    if (!options->enforces)
        return true;
    for (size_t i = 0; i < outcome->findings.count; i++) {
        unsigned code = (unsigned)outcome->findings.items[i].code;
        enum demand_id demand = demand_of_code(code);
        if (outcome->findings.items[i].level != LEVEL_ERROR ||
            policy_lets_enforce_repair(options->policy, outcome->findings.items[i].code))
            continue;
        outcome->remark = arena_printf(
            &outcome->arena,
            rule_is_cured_by_stubs(code) ||
                    (!rule_is_about_calls(code) && (demand == DEMAND_NONE || demand_is_repairable(demand)))
                ? "Nothing was repaired: [fix] of the policy does not leave HVCI%04u to enforce."
                : "Nothing was repaired: HVCI%04u cannot be cured in a finished image.",
            code);
        return false;
    }
    return true;
}

/* The stages in their order. The return value only ends the sequence; outcome says all. */
static bool run(struct outcome *outcome, const struct pipeline_options *options)
{
    struct arena *arena = &outcome->arena;
    struct finding error;

    if (!outcome->container_path && !file_read(outcome->path, arena, &outcome->file, &error))
        return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
    if (outcome_is_stopped(outcome, options))
        return false;
    /* From here on the input's bytes never change. */

    if (!image_read(outcome->file.bytes, arena, &outcome->image, &error))
        return outcome_end_with_problem(outcome, &error, STATUS_ERROR, EXIT_INPUT);
    outcome->has_image = true;
    if (options->symbols_path && !pipeline_symbols_read(outcome, options))
        return outcome_end_out_of_memory(outcome);
    /* From here on every byte belongs to one region. */

    uint32_t sources = options->goal == GOAL_CHECK ? rules_sources() : SOURCE_ALL;
    if (!refs_collect(&outcome->image, arena, sources, &outcome->refs))
        return outcome_end_out_of_memory(outcome);
    if (options->goal != GOAL_CHECK && !options->no_code) {
        outcome->has_code = code_read(&outcome->image, &outcome->refs, arena, &outcome->code);
        if (!outcome->has_code ||
            (options->lists_calls && !call_list_find(&outcome->image, &outcome->refs, &outcome->code,
                                                     &outcome->names, arena, &outcome->calls)))
            return outcome_end_out_of_memory(outcome);
    }
    if (outcome_is_stopped(outcome, options))
        return false;
    /* From here on every place that holds an address is known, or is listed as not understood. */

    /* Where tables overlap, which one has a field depends on which were asked for. The rules always see the
     * same. */
    struct refset rule_refs = outcome->refs;
    if (sources != rules_sources() && !refs_collect(&outcome->image, arena, rules_sources(), &rule_refs))
        return outcome_end_out_of_memory(outcome);
    outcome->answers = arena_array(arena, rules_count, sizeof *outcome->answers);
    if (options->policy)
        outcome->waiver_uses =
            arena_array(arena, options->policy->waiver_count, sizeof *outcome->waiver_uses);
    bool has_code = outcome->has_code;
    if (!outcome->answers ||
        !pipeline_judge_calls(&outcome->image, has_code ? &outcome->refs : NULL,
                              has_code ? &outcome->code : NULL, &outcome->names, options, arena,
                              &outcome->asked) ||
        !pipeline_judge(outcome, &outcome->image, &rule_refs, &outcome->asked, options, &outcome->problems,
                        &outcome->findings, outcome->answers))
        return outcome_end_out_of_memory(outcome);
    outcome->judged = true;
    if (!report_damage(outcome, &rule_refs))
        return outcome_end_out_of_memory(outcome);
    /* From here on the findings stand; nothing has been modified. */

    if (outcome->problems.count != 0 && options->goal != GOAL_SHOW)
        return outcome_end(outcome, STATUS_ERROR, EXIT_INPUT);
    if (options->goal == GOAL_FIX && may_be_repaired(outcome, options))
        return pipeline_repair(outcome, options);
    bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
    bool is_clean = outcome->findings.count == 0 && outcome->problems.count == 0;
    return outcome_end(outcome, is_clean ? STATUS_CLEAN : STATUS_FINDINGS,
                       has_errors && options->goal != GOAL_SHOW ? EXIT_FINDINGS : EXIT_CLEAN);
}

void pipeline_begin(const struct pipeline_options *options, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    arena_init(&outcome->arena, options->allocator);
    arena_use_stock(&outcome->arena, options->stock);
    outcome->target = options->target;
    set_demands(outcome, options);
    outcome->output_path = options->goal == GOAL_FIX && !options->dry_run ? options->output_path : NULL;
    outcome->findings.arena = outcome->problems.arena = outcome->remaining.arena = &outcome->arena;
}

static void run_stages(struct outcome *outcome, const struct pipeline_options *options)
{
    (void)run(outcome, options);
    const struct image *image = outcome->has_image ? &outcome->image : NULL;
    /* What is no finding of a rule fails whether it is known or not. */
    if (!baseline_mark(&options->baseline, outcome->path, image, false, &outcome->problems,
                       &outcome->arena) ||
        (image && !baseline_mark(&options->baseline, outcome->path, image, false, &outcome->image.notes,
                                 &outcome->arena)))
        outcome->arena.exhausted = true;
    if (outcome->arena.exhausted && outcome->status != STATUS_ERROR && !outcome->wrote)
        (void)outcome_end_out_of_memory(outcome);
}

void pipeline_run(const char *path, const struct pipeline_options *options, struct outcome *outcome)
{
    pipeline_begin(options, outcome);
    outcome->path = path;
    run_stages(outcome, options);
}

void pipeline_run_content(const char *path, const char *container_path, struct span bytes,
                          const struct pipeline_options *options, struct outcome *outcome)
{
    outcome->path = path;
    outcome->container_path = container_path;
    outcome->file.bytes = bytes;
    run_stages(outcome, options);
}

void pipeline_end_with(struct outcome *outcome, const char *path, const struct finding *problem,
                       enum exit_code exit_code)
{
    outcome->path = path;
    (void)outcome_end_with_problem(outcome, problem, STATUS_ERROR, exit_code);
}

void pipeline_release(struct outcome *outcome)
{
    arena_free(&outcome->arena);
}
