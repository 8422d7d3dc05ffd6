/* doctor_image.c - doctor_image.h.
 * Takes: bytes.  Gives: what the dry runs of `fix` say, as texts that outlive them.  Must not: decide what
 * the pipeline has not. */
#include "doctor/doctor_image.h"

#include "base/path_name.h"
#include "base/pe_format.h"
#include "io/catalog.h"
#include "io/catalog_index.h"

static const char *copy(struct arena *arena, const char *words)
{
    return words ? arena_printf(arena, "%s", words) : NULL;
}

static void add_text(struct arena *arena, struct doctor_texts *texts, unsigned code, const char *words,
                     enum finding_level level)
{
    /* What is said of each of many findings in the same words is said once. (Words are NULL where memory ran
     * out.) */
    const char *last = texts->count != 0 ? texts->items[texts->count - 1].words : NULL;
    if (last && words && strcmp(last, words) == 0)
        return;
    struct doctor_text *items =
        arena_grow(arena, texts->items, texts->count, &texts->capacity, texts->count + 1, sizeof *items);
    if (!items)
        return; /* arena->exhausted */
    texts->items = items;
    texts->items[texts->count++] = (struct doctor_text){
        code != 0 ? arena_printf(arena, "HVCI%04u", code) : NULL, copy(arena, words), level};
}

/* The worst first. */
static void add_findings(struct arena *arena, struct doctor_texts *texts, const struct finding_list *findings,
                         enum finding_level least)
{
    for (enum finding_level level = LEVEL_ERROR; level >= least; level--)
        for (size_t i = 0; i < findings->count; i++)
            if (findings->items[i].level == level)
                add_text(arena, texts, (unsigned)findings->items[i].code, findings->items[i].message, level);
}

static void add_changes(struct arena *arena, struct doctor_texts *texts, const struct plan *plan)
{
    bool has_layout = false, has_nx = false;
    for (size_t i = 0; i < plan->change_count; i++)
        has_nx |= plan->changes[i].kind == CHANGE_NX;
    if (has_nx)
        add_text(arena, texts, 0,
                 "With --nx, calls that may ask for executable memory are led through stubs that add the "
                 "no-execute flag: that changes what the driver does.",
                 LEVEL_NOTE);
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct change *change = &plan->changes[i];
        if (change->kind == CHANGE_LAYOUT) {
            if (!has_layout && plan->layout)
                add_text(arena, texts, 0,
                         arena_printf(arena,
                                      "%zu pieces and %u sections are laid out anew: they keep their "
                                      "bytes, and every address that leads to them follows.",
                                      plan->layout->piece_count - 1, (unsigned)plan->layout->section_count),
                         LEVEL_NOTE);
            has_layout = true;
        } else if (change->kind == CHANGE_DROP_SIGNATURE) {
            add_text(arena, texts, 0, "The signature in the file is cut off; it would be stale.", LEVEL_NOTE);
        } else if (change->kind != CHANGE_CHECKSUM && change->field) {
            add_text(arena, texts, 0,
                     arena_printf(arena, "%s%s%s. %s", change->section ? "Section " : "",
                                  change->section ? change->section
                                  : change->field ? change->field
                                                  : "A field",
                                  change->section && change->field ? ": its flags" : "",
                                  change->why ? change->why : ""),
                     LEVEL_NOTE);
        }
    }
    if (plan->change_count != 0)
        add_text(arena, texts, 0, "The checksum in the header follows.", LEVEL_NOTE);
}

static struct pipeline_options treatment(const struct doctor_case *one, const struct catalog_index *catalogs)
{
    return (struct pipeline_options){.goal = GOAL_FIX,
                                     .target = one->options->target,
                                     .dry_run = true,
                                     .drop_signature = true,
                                     .adds_nx = one->has_nx,
                                     .judges_calls = true,
                                     .catalogs = catalogs,
                                     .stop = one->options->stop};
}

/* Not every piece of memory comes from the outcome's own. */
static bool had_memory(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->problems.count; i++)
        if (outcome->problems.items[i].code == HVCI9008_OUT_OF_MEMORY)
            return false;
    return !outcome->arena.exhausted;
}

static void run(const struct doctor_case *one, const struct pipeline_options *pipeline,
                struct outcome *outcome)
{
    pipeline_begin(pipeline, outcome);
    pipeline_run_content(one->path, one->container_path ? one->container_path : one->path, one->bytes,
                         pipeline, outcome);
}

static bool is_about_calls(unsigned code)
{
    return code >= 2000 && code <= 2002;
}

/* Where a repair with --nx leaves no error, it is what there is to tell. False when memory ran out. */
static bool try_nx(const struct doctor_case *one, const struct catalog_index *catalogs, struct arena *arena,
                   struct doctor_image *image)
{
    struct pipeline_options pipeline = treatment(one, catalogs);
    struct outcome outcome;
    pipeline.adds_nx = true;
    run(one, &pipeline, &outcome);
    image->nx_helps = outcome.status == STATUS_FIXED && outcome.exit_code == EXIT_CLEAN;
    if (image->nx_helps) {
        image->state = DOCTOR_FIXABLE;
        image->is_assumed = outcome.has_verdict && outcome.verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
        image->changes = image->refusals = image->remaining = (struct doctor_texts){0};
        add_changes(arena, &image->changes, &outcome.plan);
        add_findings(arena, &image->remaining, &outcome.remaining, LEVEL_WARNING);
    }
    bool is_done = had_memory(&outcome);
    pipeline_release(&outcome);
    return is_done;
}

/* False with *error set when what may sign it cannot be read. */
static bool find_signature(const struct doctor_case *one, const struct outcome *outcome, struct arena *arena,
                           struct doctor_image *image, struct finding *error)
{
    bool is_found = true;
    image->is_signed = outcome->image.is_signed;
    if (one->catalogs) {
        is_found = catalog_index_find(one->catalogs, &outcome->image, &image->catalog);
        image->catalog = copy(arena, image->catalog);
        if (!is_found)
            *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                                  "There was not enough memory for this image.");
    } else if (!one->container_path)
        is_found = catalog_lists_image(one->path, &outcome->image, arena, &image->catalog, error);
    image->is_signed |= image->catalog != NULL;
    return is_found;
}

static enum doctor_state state_of(const struct doctor_case *one, const struct outcome *outcome,
                                  const struct doctor_image *image)
{
    enum finding_level worst = finding_worst(&outcome->findings);
    bool has_errors = worst == LEVEL_ERROR;
    /* `fix` of a package spares what is signed for notes alone; of a driver that stands alone its owner need
     * not lose the signature for a warning that stays. */
    bool is_spared = image->is_signed && (worst < LEVEL_WARNING || !one->container_path);
    if (!outcome->has_image || outcome->status == STATUS_ERROR)
        return DOCTOR_UNREADABLE;
    if (!image->is_kernel)
        return DOCTOR_BYSTANDER;
    if (!has_errors && (outcome->findings.count == 0 || outcome->status == STATUS_REFUSED ||
                        outcome->status == STATUS_FINDINGS || is_spared))
        return outcome->findings.count == 0 ? DOCTOR_CLEAN : DOCTOR_LEFT;
    if (outcome->status == STATUS_FIXED)
        return outcome->exit_code == EXIT_CLEAN ? DOCTOR_FIXABLE : DOCTOR_PARTLY;
    return outcome->status == STATUS_CLEAN ? DOCTOR_CLEAN : DOCTOR_REFUSED;
}

bool doctor_image_examine(const struct doctor_case *one, struct arena *arena, struct doctor_image *image)
{
    const struct catalog_index none = {.arena = arena};
    struct pipeline_options pipeline = treatment(one, &none);
    struct outcome outcome;
    *image = (struct doctor_image){.path = copy(arena, one->path), .name = image->path};
    image->name = path_file_name(image->path);
    run(one, &pipeline, &outcome);
    bool is_done = had_memory(&outcome), is_signature_known = true;
    struct finding error;
    if (outcome.has_image) {
        image->machine = copy(arena, image_machine_name(&outcome.image));
        image->is_outside = outcome.image.machine != MACHINE_AMD64 && outcome.image.machine != MACHINE_ARM64;
        image->is_kernel = outcome.image.role == ROLE_KERNEL;
        is_signature_known = find_signature(one, &outcome, arena, image, &error);
    }
    image->state = is_signature_known ? state_of(one, &outcome, image) : DOCTOR_UNREADABLE;
    if (!is_signature_known)
        add_text(arena, &image->refusals, (unsigned)error.code, error.message, LEVEL_ERROR);
    add_findings(arena, &image->findings, &outcome.findings, LEVEL_NOTE);
    add_findings(arena, &image->refusals, &outcome.problems, LEVEL_NOTE);
    bool is_repaired = image->state == DOCTOR_FIXABLE || image->state == DOCTOR_PARTLY;
    if (is_repaired) {
        add_changes(arena, &image->changes, &outcome.plan);
        add_findings(arena, &image->remaining, &outcome.remaining, LEVEL_WARNING);
        image->is_assumed = outcome.has_verdict && outcome.verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS;
    }
    image->remark = copy(arena, outcome.remark);
    for (size_t i = 0; i < outcome.findings.count; i++)
        image->needs_nx |= image->is_kernel && is_about_calls((unsigned)outcome.findings.items[i].code) &&
                           outcome.findings.items[i].level >= LEVEL_WARNING;
    pipeline_release(&outcome);
    image->nx_helps = one->has_nx && image->needs_nx && is_repaired;
    if (image->needs_nx && is_done && is_signature_known && !one->has_nx)
        is_done = try_nx(one, &none, arena, image);
    return is_done && !arena->exhausted;
}
