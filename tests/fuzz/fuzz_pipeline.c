/* fuzz_pipeline.c - the whole way of an image: judged, planned, emitted, proved.
 * Claims: what the plan changes, the verifier proves (our own defect, exit code 6, never comes); the repaired
 * image has no finding of the repaired rule at that place; check and fix find the same; exit codes are those
 * of the status. */
#include "fuzz.h"

/* Up to a dozen layouts are planned, and may be proved, one after the other. */
static const struct work_limit whole_way = {2500, 3000000, 900, 1000000};

static void claim_findings(const struct finding_list *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        CLAIM(is_sentence(finding->message), "finding %zu: \"%s\"", i,
              finding->message ? finding->message : "");
        CLAIM(finding->place_count >= 1 && finding->evidence_count <= FINDING_MAX_EVIDENCE, "finding %zu", i);
        CLAIM(finding->level != LEVEL_ERROR || is_sentence(finding->cure),
              "finding %zu (HVCI%04u) has no cure", i, (unsigned)finding->code);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void claim_same_findings(const struct finding_list *a, const struct finding_list *b)
{
    CLAIM(a->count == b->count, "check finds %zu, fix finds %zu", a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        CLAIM(a->items[i].code == b->items[i].code && a->items[i].level == b->items[i].level &&
                  a->items[i].rva == b->items[i].rva && a->items[i].file_offset == b->items[i].file_offset &&
                  same_text(a->items[i].message, b->items[i].message),
              "check says \"%s\", fix says \"%s\"", a->items[i].message, b->items[i].message);
}

/* Exit codes by status (docs/DESIGN.md, section 8). */
static void claim_exit_code(const struct outcome *outcome, bool is_fix)
{
    bool has_errors = finding_worst(&outcome->findings) == LEVEL_ERROR;
    enum exit_code code = outcome->exit_code;
    switch (outcome->status) {
    case STATUS_CLEAN:
        CLAIM(code == EXIT_CLEAN && outcome->findings.count == 0, "clean, exit code %d", (int)code);
        break;
    case STATUS_FINDINGS:
        CLAIM(code == (has_errors ? EXIT_FINDINGS : EXIT_CLEAN), "findings, exit code %d", (int)code);
        break;
    case STATUS_FIXED:
        CLAIM(is_fix && (code == EXIT_CLEAN || code == EXIT_FINDINGS), "fixed, exit code %d", (int)code);
        break;
    case STATUS_REFUSED:
        CLAIM(is_fix && code == EXIT_FINDINGS, "refused, exit code %d: %s", (int)code,
              outcome->problems.count ? outcome->problems.items[0].message : "");
        CLAIM(outcome->problems.count != 0, "refused without a reason");
        break;
    case STATUS_ERROR:
        CLAIM(code == EXIT_INPUT && outcome->problems.count != 0, "error, exit code %d", (int)code);
        break;
    }
}

static void run(struct span file, const struct pipeline_options *options, struct outcome *outcome)
{
    struct arena nothing = {.total_nbytes = 0};
    struct work work = work_begin(&nothing);
    pipeline_on_bytes(file, options, outcome);
    work_end(&work, &outcome->arena, file.nbytes, &whole_way, "the pipeline");
    CLAIM(!outcome->arena.exhausted, "out of memory");
    claim_findings(&outcome->findings);
    claim_findings(&outcome->problems);
    claim_findings(&outcome->remaining);
    claim_exit_code(outcome, options->goal == GOAL_FIX);
}

/* The repaired bytes, judged from the beginning. */
static void claim_repaired(const struct outcome *fixed, const struct pipeline_options *options)
{
    struct span repaired = {fixed->output.bytes, fixed->output.nbytes};
    CLAIM(fixed->has_verdict && (fixed->verdict.result == VERIFY_PROVED ||
                                 fixed->verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS),
          "fixed and not proved");
    struct outcome again;
    run(repaired, options, &again);
    CLAIM(again.status != STATUS_FIXED && again.status != STATUS_ERROR, "fixed twice: %s",
          outcome_status_name(again.status));
    for (size_t i = 0; i < fixed->plan.change_count; i++) {
        const struct change *change = &fixed->plan.changes[i];
        for (size_t k = 0; k < again.findings.count; k++)
            CLAIM(change->kind != CHANGE_SECTION_CHARACTERISTICS ||
                      again.findings.items[k].code != change->rule ||
                      again.findings.items[k].file_offset + SECTION_CHARACTERISTICS != change->file_offset,
                  "HVCI%04u is still found after its repair", (unsigned)change->rule);
    }
    pipeline_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static const enum finding_code init_rule = HVCI2102_INIT_WRITABLE_EXECUTABLE;
    struct span file = {data, nbytes};
    struct pipeline_options options = {.goal = GOAL_CHECK, .target = TARGET_DEFAULT};
    struct outcome checked, fixed;
    run(file, &options, &checked);
    options.goal = GOAL_FIX;
    options.dry_run = true;
    for (unsigned way = 0; way < 4; way++) {
        options.drop_signature = (way & 1) != 0;
        options.only = (way & 2) != 0 ? &init_rule : NULL;
        options.only_count = (way & 2) != 0 ? 1 : 0;
        run(file, &options, &fixed);
        claim_same_findings(&checked.findings, &fixed.findings);
        if (fixed.status == STATUS_FIXED)
            claim_repaired(&fixed, &options);
        pipeline_release(&fixed);
    }
    pipeline_release(&checked);
    return 0;
}
