/* fuzz_emit.c - writing images.
 * Claims: without a plan, or with one that changes nothing, the bytes come out as they went in; a planned
 * change comes out as an image that reads again, differs only where the plan says, and asks for no further
 * change. */
#include "fuzz.h"

static const struct work_limit emitting = {40, 20000, 100, 200000};

static void claim_identity(const struct image *image, const struct refset *refs, const struct plan *plan,
                           struct arena *arena)
{
    struct output output;
    struct finding error;
    struct work work = work_begin(arena);
    CLAIM(emit_image(image, refs, plan, arena, &output, &error), "not emitted: %s", error.message);
    work_end(&work, arena, image->file.nbytes, &emitting, "emit_image");
    CLAIM(output.nbytes == image->file.nbytes, "%zu bytes became %zu", image->file.nbytes, output.nbytes);
    for (size_t i = 0; i < output.nbytes; i++)
        CLAIM(output.bytes[i] == image->file.bytes[i], "byte 0x%zX became 0x%02X", i, output.bytes[i]);
}

/* All stages up to the plan; false when the image cannot be read. */
struct stages {
    struct image image;
    struct refset refs;
    struct code_map code;
    struct finding_list findings;
    struct plan plan;
};

static bool run_stages(struct span file, bool drop_signature, struct arena *arena, struct stages *stages)
{
    *stages = (struct stages){.findings = {.arena = arena}};
    if (!read_input(file, arena, &stages->image))
        return false;
    struct rule_answer *answers = arena_array(arena, rules_count, sizeof *answers);
    struct rule_input input = {.image = &stages->image,
                               .refs = &stages->refs,
                               .target = TARGET_DEFAULT,
                               .arena = arena,
                               .findings = &stages->findings};
    struct plan_options options = {.drop_signature = drop_signature, .target = TARGET_DEFAULT};
    CLAIM(answers && refs_collect(&stages->image, arena, SOURCE_ALL, &stages->refs) &&
              code_read(&stages->image, &stages->refs, arena, &stages->code) &&
              rules_judge(&input, answers) &&
              plan_make(&stages->image, &stages->refs, &stages->code, &stages->findings, &options, arena,
                        &stages->plan),
          "out of memory");
    return true;
}

static bool is_planned(const struct plan *plan, uint64_t foff, uint64_t file_nbytes)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = &plan->changes[i];
        if (foff >= change->file_offset && foff - change->file_offset < change->width_nbytes)
            return true;
        /* Dropping the table clears its directory entry, which lies in the headers. */
        if (change->kind == CHANGE_DROP_SIGNATURE && foff < file_nbytes && foff < change->file_offset)
            return true;
    }
    return false;
}

static void claim_change(const struct stages *before, bool drop_signature, struct arena *arena)
{
    const struct plan *plan = &before->plan;
    struct output output;
    struct finding error;
    CLAIM(plan->change_count != 0, "a change of nothing");
    if (!emit_image(&before->image, &before->refs, plan, arena, &output, &error)) {
        CLAIM(error.code == HVCI9023_UNRESOLVED_REFERENCE && is_sentence(error.message),
              "refused with code %d", (int)error.code);
        return;
    }
    struct span old_file = before->image.file;
    bool stays =
        !plan->layout || !plan->layout->moves; /* else the verifier judges the bytes: fuzz_pipeline.c */
    CLAIM(output.nbytes == (stays ? plan->new_file_nbytes : plan->layout->file_nbytes), "%zu bytes",
          output.nbytes);
    CLAIM(!stays || output.nbytes <= old_file.nbytes, "%zu bytes", output.nbytes);
    for (size_t i = 0; stays && i < output.nbytes; i++)
        CLAIM(output.bytes[i] == old_file.bytes[i] || is_planned(plan, i, old_file.nbytes),
              "byte 0x%zX changed and no plan says so", i);
    struct stages after;
    CLAIM(run_stages((struct span){output.bytes, output.nbytes}, drop_signature, arena, &after),
          "what was emitted cannot be read");
    CLAIM(after.image.section_count == (stays ? before->image.section_count : plan->layout->section_count),
          "sections went");
    CLAIM(after.plan.verdict != PLAN_CHANGE, "a second repair would change more");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    for (int drop_signature = 0; drop_signature <= 1; drop_signature++) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct stages stages;
        if (run_stages((struct span){data, nbytes}, drop_signature, &arena, &stages)) {
            claim_identity(&stages.image, &stages.refs, NULL, &arena);
            if (stages.plan.verdict == PLAN_CHANGE)
                claim_change(&stages, drop_signature, &arena);
            else
                claim_identity(&stages.image, &stages.refs, &stages.plan, &arena);
        }
        arena_free(&arena);
    }
    return 0;
}
