/* judge_item.c - judge_item.h.
 * Takes: an item.  Gives: a report, or none for what is passed over.  Must not: let two repairs of one file
 * run at a time. */
#include "cli/judge_item.h"

#include "base/path_name.h"
#include "cli/check_infs.h"
#include "cli/fix_package.h"
#include "cli/image_reports.h"
#include "cli/look_inside.h"

/* Only images are repaired and drawn; of an archive it is said that others look into it. */
static void refuse_archive(const struct image_run *run, struct outcome *outcome)
{
    bool fixes = run->options->verb == VERB_FIX;
    struct finding problem =
        finding_make(&outcome->arena, HVCI9054_PACKAGE_NOT_REPAIRED, LEVEL_ERROR,
                     fixes ? "This is an archive, and fix --in-place repairs no images inside archives."
                           : "This is an archive, and show draws no images inside archives.");
    problem.cure = fixes
                       ? "Name a new package: fix -o OUT. \"hvcifix check\" judges the images in the archive."
                       : "Unpack it and name the image. \"hvcifix check\" judges images in archives.";
    outcome->problems.count = 0;
    pipeline_end_with(outcome, outcome->path, &problem, EXIT_INPUT);
}

static void judge(const struct image_run *run, const struct work_item *item, struct arena_stock *stock,
                  struct outcome *outcome)
{
    struct pipeline_options pipeline = run->pipeline;
    struct enforce_options enforce = run->enforce;
    pipeline.stock = stock;
    pipeline.baseline = enforce.baseline =
        (struct baseline_view){.baseline = run->baseline, .by_name = item->has_own_name};
    /* The program itself is not written, and no lone image where a package is asked for. */
    if (run->options->extract || fix_asks_for_package(run->options, item))
        pipeline.goal = GOAL_CHECK;
    if (item->kind == WORK_PACKAGE)
        pipeline_begin(&pipeline, outcome);
    else if (run->options->verb == VERB_ENFORCE)
        enforce_run(item->path, &enforce, stock, outcome);
    else
        pipeline_run(item->path, &pipeline, outcome);
}

/* What would be judged if it were the only image is judged, whatever others hold or were kept for: then those
 * wait, that is given back, and it is judged again. */
static void judge_with_all_memory(const struct image_run *run, size_t number, struct ordered *ordered,
                                  struct arena_stock *stock, struct outcome *outcome)
{
    const struct work_item *item = &run->list->items[number];
    bool had_stock = stock->block_count != 0;
    judge(run, item, stock, outcome);
    if (!outcome->arena.exhausted || outcome->wrote || outcome->was_stopped ||
        (!had_stock && !ordered_has_others(ordered, number)))
        return;
    pipeline_release(outcome);
    arena_stock_free(stock);
    ordered_be_alone(ordered, number);
    judge(run, item, stock, outcome);
}

/* The same for the report. */
static struct image_report report_with_all_memory(const struct image_run *run, size_t number,
                                                  struct ordered *ordered, struct outcome *outcome,
                                                  char room[REPORT_SCARCE_NBYTES])
{
    bool was_exhausted = outcome->arena.exhausted;
    struct image_report report = image_report_make(run, outcome, room);
    if (!report.is_scarce || was_exhausted || !ordered_has_others(ordered, number))
        return report;
    ordered_be_alone(ordered, number);
    outcome->arena.exhausted = false;
    return image_report_make(run, outcome, room);
}

/* A repaired image has no signature; loading it takes one. */
static void say_how_to_sign(struct outcome *outcome)
{
    const char *path = outcome->output_path ? outcome->output_path : outcome->path;
    if (outcome->wrote && outcome->status == STATUS_FIXED)
        outcome->next_step =
            arena_printf(&outcome->arena,
                         "Sign it: signtool sign /fd sha256 /f CERT.pfx \"%s\", or osslsigncode sign -h "
                         "sha256 -certs CERT.pem -key KEY.pem -in \"%s\" -out SIGNED (docs/SIGNING.md).",
                         path, path);
}

/* A map belongs to a repair. Whoever waits for one that is not made is told, or reads one of an earlier run.
 */
static void say_that_no_map_is_made(const struct cli_options *options, struct outcome *outcome)
{
    if ((options->map_path || options->linker_map_path) && outcome->status != STATUS_FIXED &&
        outcome->exit_code == EXIT_CLEAN && !outcome->remark)
        outcome->remark = "No map was written: nothing was repaired, so every address stays what it is.";
}

/* What leads back from a repair is no image, but can be shown. */
static void read_side_file(struct outcome *outcome)
{
    struct finding error;
    struct undo_file *file = arena_alloc(&outcome->arena, sizeof *file);
    outcome->problems.count = 0;
    outcome->status = STATUS_CLEAN;
    outcome->exit_code = EXIT_CLEAN;
    if (file && undo_read(outcome->file.bytes, outcome->path, &outcome->arena, file, &error))
        outcome->side_file = file;
    else if (file)
        pipeline_end_with(outcome, outcome->path, &error, EXIT_INPUT);
}

/* What a folder says of itself, behind its images. */
static void end_folder(const struct image_run *run, size_t number, struct ordered *ordered,
                       struct arena_stock *stock)
{
    struct pipeline_options pipeline = run->pipeline;
    struct image_report report = {0};
    struct outcome outcome;
    char room[REPORT_SCARCE_NBYTES];
    pipeline.stock = stock;
    pipeline_begin(&pipeline, &outcome);
    if (check_infs(run->list->items[number].path, &outcome))
        report = image_report_make(run, &outcome, room);
    ordered_hand_over(ordered, number, &report);
    pipeline_release(&outcome);
}

void judge_item(const struct image_run *run, size_t number, struct ordered *ordered,
                struct arena_stock *stock)
{
    const struct work_item *item = &run->list->items[number];
    struct image_report report = {0};
    bool enforces = run->options->verb == VERB_ENFORCE;
    bool looks_inside = enforces || run->options->verb == VERB_CHECK;
    /* What was rejected in an earlier run is not ours to judge again. */
    bool is_rejected =
        enforces && item->kind == WORK_FOUND && path_has_suffix(item->path, ENFORCE_REJECTED_SUFFIX);
    if (item->kind == WORK_FOLDER_END && run->options->verb == VERB_CHECK) {
        end_folder(run, number, ordered, stock);
        return;
    }
    if (item->kind == WORK_FOLDER_END || is_rejected) {
        ordered_hand_over(ordered, number, &report);
        return;
    }
    /* The second repair of one file sees what the first has written. */
    if (item->same_file_before != WORK_NONE) {
        arena_stock_free(stock); /* whom it waits for may need the memory */
        ordered_wait_for(ordered, item->same_file_before);
    }
    struct outcome outcome;
    char room[REPORT_SCARCE_NBYTES];
    judge_with_all_memory(run, number, ordered, stock, &outcome);
    if (!outcome.was_stopped && fix_takes_package(run, item, &outcome))
        fix_package(run, item, number, ordered, &outcome);
    else if (fix_asks_for_package(run->options, item))
        fix_refuse_lone_image(run->options, item, &outcome);
    else if (run->options->verb == VERB_FIX)
        fix_looks_inside(run, &outcome);
    bool has_report =
        outcome.was_stopped || !looks_inside || look_inside(run, item, number, ordered, &outcome);
    if (outcome.was_stopped) {
        ordered_hand_over(ordered, number, &report);
        pipeline_release(&outcome);
        return;
    }
    image_run_note(run, &outcome);
    if (run->options->verb == VERB_FIX)
        say_that_no_map_is_made(run->options, &outcome);
    if (run->options->verb == VERB_FIX && item->kind == WORK_IMAGE && !run->options->signer &&
        !outcome.is_package)
        say_how_to_sign(&outcome);
    if (run->options->verb == VERB_SHOW && !outcome.has_image && undo_is(outcome.file.bytes))
        read_side_file(&outcome);
    if (!looks_inside && item->kind == WORK_IMAGE && !outcome.is_package && outcome_is_archive(&outcome))
        refuse_archive(run, &outcome);
    if (has_report && (item->kind != WORK_FOUND || !outcome_is_passed_over(&outcome))) {
        if (enforces)
            enforce_reject(&run->enforce, &outcome);
        report = report_with_all_memory(run, number, ordered, &outcome, room);
    }
    ordered_hand_over(ordered, number, &report);
    pipeline_release(&outcome);
}
