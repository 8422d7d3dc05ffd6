/* run_images.c - check, fix, show and enforce over many images.
 * Takes: parsed options.  Gives: reports on the stream in the order of the command line, folders sorted by
 * name, and the most serious exit code. Must not: let one bad image stop the others, or keep more of an image
 * that is done than its report. */
#include "cli/run_images.h"

#include "cli/console.h"
#include "cli/ordered.h"
#include "cli/run_policy.h"
#include "cli/work_list.h"
#include "cli/workers.h"
#include "io/file.h"
#include "io/path_list.h"
#include "report/report_policy.h"

#include <stdatomic.h>

enum { SUMMARY_NBYTES = 1024 };

struct run {
    /* Only read while jobs run. */
    const struct cli_options *options;
    const struct report_style *style;
    const struct work_list *list;
    struct pipeline_options pipeline;
    struct enforce_options enforce; /* VERB_ENFORCE */
    const struct outcome *after;    /* show --after: the image that the other is compared with */
    const struct policy *policy;    /* or NULL */
    /* Raised by jobs, in any order: the most that any image has made of each waiver (enum waiver_use). */
    atomic_uchar *waiver_uses;
    /* Only for who delivers. */
    FILE *stream;
    struct report_totals totals;
    enum exit_code exit_code;
    bool has_reports;
    size_t folder_image_count; /* since the last folder's end */
};

/* Names under which linkers write images: such a file that is no image is worth a word. */
static bool is_named_like_image(const char *path)
{
    static const char *const suffixes[] = {".sys", ".dll", ".exe", ".efi"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (path_has_suffix(path, suffixes[i]))
            return true;
    return false;
}

/* A file met while walking a folder that does not begin like an image is not what was asked for. */
static bool is_passed_over(const struct outcome *outcome)
{
    if (is_named_like_image(outcome->path))
        return false;
    return outcome->problems.count == 1 && outcome->problems.items[0].code == HVCI9001_NOT_A_PE_IMAGE;
}

/* The map belongs to a repair that was proved; without one there is none. */
static bool write_map(const struct run *run, struct outcome *outcome)
{
    struct text map = {.arena = &outcome->arena};
    struct finding error;
    if (!run->options->map_path || outcome->status != STATUS_FIXED)
        return true;
    report_json_map(&map, outcome);
    struct file_replacement replacement = {
        .path = run->options->map_path, .bytes = {(const uint8_t *)map.chars, map.nbytes}, .mode = 0644};
    return !outcome->arena.exhausted && file_replace(&replacement, &outcome->arena, &error) == FILE_WRITTEN;
}

/* The report of one image as text in the outcome's arena, or in `room` when memory runs out, and what else is
 * kept of it. */
static struct image_report make_report(const struct run *run, struct outcome *outcome,
                                       char room[REPORT_SCARCE_NBYTES])
{
    struct text text = {.arena = &outcome->arena};
    struct image_report report = {.is_shown = true, .exit_code = outcome->exit_code};
    bool is_json = run->options->format == FORMAT_JSON;
    bool is_readable = outcome->has_image && outcome->judged;
    if (!write_map(run, outcome)) {
        console_complain("%s : error HVCI9007: The map could not be written.\n", run->options->map_path);
        report.exit_code = exit_code_worse(report.exit_code, EXIT_WRITE);
    }
    if (run->options->verb == VERB_SHOW && is_readable) {
        if (run->after)
            report_text_show_pair(&text, outcome, run->after, run->style);
        else if (is_json)
            report_json_show(&text, outcome, run->options->show, true);
        else
            report_text_show(&text, outcome, run->options->show, run->style);
    } else if (is_json) {
        report_json_image(&text, outcome, true);
    } else {
        if (run->options->dry_run && outcome->has_plan)
            report_text_plan(&text, outcome, run->style);
        report_text_image(&text, outcome, run->style);
    }
    if (outcome->arena.exhausted) { /* something is missing from the text */
        report.nbytes = report_scarce(room, outcome, is_json, run->style, &report.totals);
        report.chars = room;
        report.exit_code = exit_code_worse(report.exit_code, EXIT_INPUT);
        return report;
    }
    report_count(&report.totals, outcome);
    report.chars = text.chars;
    report.nbytes = text.nbytes;
    return report;
}

static void put(struct run *run, const char *chars, size_t nbytes)
{
    if (nbytes != 0)
        console_write(run->stream, chars, nbytes); /* failures are seen by ferror() */
}

static void put_report(struct run *run, const struct image_report *report)
{
    if (!report->is_shown)
        return;
    if (run->has_reports && run->options->format == FORMAT_JSON)
        put(run, ",\n", 2);
    put(run, report->chars, report->nbytes);
    report_totals_add(&run->totals, &report->totals);
    run->exit_code = exit_code_worse(run->exit_code, report->exit_code);
    run->has_reports = true;
}

/* The report of something that is no image. */
static void put_problem(struct run *run, const char *path, enum finding_code code, const char *message,
                        const char *cure, enum exit_code exit_code)
{
    struct outcome outcome = {
        .path = path, .status = STATUS_ERROR, .exit_code = exit_code, .target = run->pipeline.target};
    arena_init(&outcome.arena, run->pipeline.allocator);
    struct finding problem = {code,    LEVEL_ERROR, NULL, NO_RVA, NO_FILE_OFFSET, 1,
                              message, NULL,        0,    NULL,   cure,           NULL};
    outcome.problems.items = &problem;
    outcome.problems.count = outcome.problems.capacity = 1;
    char room[REPORT_SCARCE_NBYTES];
    struct image_report report = make_report(run, &outcome, room);
    put_report(run, &report);
    pipeline_release(&outcome);
}

/* What the image has made of each waiver, joined to what others have. */
static void note_waivers(const struct run *run, const struct outcome *outcome)
{
    for (size_t i = 0; run->policy && outcome->waiver_uses && i < run->policy->waiver_count; i++) {
        unsigned char use = (unsigned char)outcome->waiver_uses[i];
        unsigned char before = atomic_load(&run->waiver_uses[i]);
        while (before < use && !atomic_compare_exchange_weak(&run->waiver_uses[i], &before, use))
            ;
    }
}

static void run_item(void *context, size_t number, struct ordered *ordered, struct arena_stock *stock)
{
    const struct run *run = context;
    const struct work_item *item = &run->list->items[number];
    struct image_report report = {0};
    bool enforces = run->options->verb == VERB_ENFORCE;
    /* What was rejected in an earlier run is not ours to judge again. */
    bool is_rejected =
        enforces && item->kind == WORK_FOUND && path_has_suffix(item->path, ENFORCE_REJECTED_SUFFIX);
    if ((item->kind != WORK_IMAGE && item->kind != WORK_FOUND) || is_rejected) {
        ordered_hand_over(ordered, number, &report);
        return;
    }
    /* The second repair of one file sees what the first has written. */
    if (item->same_file_before != WORK_NONE)
        ordered_wait_for(ordered, item->same_file_before);
    struct pipeline_options pipeline = run->pipeline;
    pipeline.stock = stock;
    struct outcome outcome;
    char room[REPORT_SCARCE_NBYTES];
    if (enforces)
        enforce_run(item->path, &run->enforce, stock, &outcome);
    else
        pipeline_run(item->path, &pipeline, &outcome);
    note_waivers(run, &outcome);
    if (item->kind == WORK_IMAGE || !is_passed_over(&outcome)) {
        if (enforces)
            enforce_reject(&run->enforce, &outcome);
        report = make_report(run, &outcome, room);
    }
    ordered_hand_over(ordered, number, &report);
    pipeline_release(&outcome);
}

static bool deliver(void *context, size_t number, const struct image_report *report, bool is_last)
{
    struct run *run = context;
    const struct work_item *item = &run->list->items[number];
    put_report(run, report);
    if (item->kind == WORK_FOUND) {
        run->folder_image_count += report->is_shown;
    } else if (item->kind == WORK_USAGE) {
        put_problem(run, item->path, HVCI9010_USAGE, "-o OUT takes one image, and this is a folder.",
                    "Use --in-place to repair every image of a folder.", EXIT_USAGE);
    } else if (item->kind == WORK_FOLDER_END) {
        if (run->folder_image_count == 0)
            put_problem(run, item->path, HVCI9001_NOT_A_PE_IMAGE, "There is no Windows image in this folder.",
                        "Name the folder that the linker writes to.", EXIT_INPUT);
        run->folder_image_count = 0;
    }
    /* Who reads along sees each report as soon as it is there. */
    if (is_last && number + 1 < run->list->count)
        fflush(run->stream);
    /* Without a reader there is no sense in judging on. Repairs go on: they are wanted for themselves. */
    return run->options->verb == VERB_FIX || run->options->verb == VERB_ENFORCE || !ferror(run->stream);
}

/* show --after: the other image. When it cannot be shown, the report says why, and the first is shown alone.
 */
static void read_after(struct run *run, struct outcome *after)
{
    pipeline_run(run->options->after_path, &run->pipeline, after);
    if (after->judged) {
        run->after = after;
        return;
    }
    char room[REPORT_SCARCE_NBYTES];
    struct image_report report = make_report(run, after, room);
    put_report(run, &report);
}

static unsigned worker_count(const struct cli_options *options, size_t item_count)
{
    if (item_count < 2)
        return 1;
    unsigned count = options->jobs != 0 ? options->jobs : workers_core_count();
    if (count > CLI_MOST_JOBS)
        count = CLI_MOST_JOBS;
    return count < item_count ? count : (unsigned)item_count;
}

static void run_list(struct run *run)
{
    struct outcome after;
    if (run->options->after_path)
        read_after(run, &after);
    struct ordered_jobs jobs = {
        .count = run->list->count,
        .worker_count = worker_count(run->options, run->list->count),
        .context = run,
        .run = run_item,
        .deliver = deliver,
    };
    ordered_run(&jobs);
    if (run->options->after_path)
        pipeline_release(&after);
}

/* Waivers that have nothing to waive are said on standard error: they are not about an image. */
static void complain_of_unused_waivers(const struct run *run, struct arena *arena)
{
    size_t count = run->policy ? run->policy->waiver_count : 0;
    enum waiver_use *uses = arena_array(arena, count, sizeof *uses);
    struct text text = {.arena = arena};
    for (size_t i = 0; uses && i < count; i++)
        uses[i] = (enum waiver_use)atomic_load(&run->waiver_uses[i]);
    if (uses && count != 0)
        report_text_unused_waivers(&text, run->policy, uses, run->style);
    if (text.nbytes != 0 && !arena->exhausted)
        console_complain("%s", text.chars);
}

static enum exit_code run_with(const struct cli_options *options, const struct report_style *style,
                               const struct policy *policy, struct arena *arena, FILE *stream)
{
    struct work_list list;
    atomic_uchar *waiver_uses = arena_array(arena, policy ? policy->waiver_count : 0, sizeof *waiver_uses);
    if (!waiver_uses || !work_list_make(options, arena, &list)) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory to list these images.\n");
        return EXIT_INPUT;
    }
    struct run run = {
        .policy = policy,
        .waiver_uses = waiver_uses,
        .options = options,
        .style = style,
        .list = &list,
        .pipeline =
            {
                .goal = options->verb == VERB_CHECK ? GOAL_CHECK
                        : options->verb == VERB_FIX ? GOAL_FIX
                                                    : GOAL_SHOW,
                .target = policy && !options->has_target ? policy->target : options->target,
                .policy = policy,
                .no_code = options->no_code,
                .dry_run = options->dry_run,
                .output_path = options->output_path,
                .drop_signature = options->drop_signature,
                .only = options->only,
                .only_count = options->only_count,
            },
        .stream = stream,
    };
    run.enforce = (struct enforce_options){
        .policy = policy, .target = run.pipeline.target, .on_fail = options->on_fail};
    if (policy && !enforce_prepare(&run.enforce, arena)) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the policy.\n");
        return EXIT_INPUT;
    }
    char room[SUMMARY_NBYTES]; /* neither needs more, so neither fails for memory */
    struct text text = {.arena = arena, .chars = room, .capacity = sizeof room};
    if (options->format == FORMAT_JSON)
        report_json_begin(&text);
    put(&run, text.chars, text.nbytes);
    run_list(&run);
    text.nbytes = 0;
    if (options->format == FORMAT_JSON)
        report_json_end(&text);
    else if (options->verb != VERB_SHOW)
        report_text_summary(&text, &run.totals, style);
    put(&run, text.chars, text.nbytes);
    complain_of_unused_waivers(&run, arena);
    return run.exit_code;
}

enum exit_code run_images(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct policy policy;
    enum exit_code of_policy = EXIT_CLEAN, exit_code;
    bool is_usable = !options->policy_path || policy_load(options, style, &arena, &policy, &of_policy);
    if (is_usable)
        exit_code = exit_code_worse(
            of_policy, run_with(options, style, options->policy_path ? &policy : NULL, &arena, stream));
    else
        exit_code = of_policy;
    arena_free(&arena);
    return exit_code;
}
