/* run_images.c - check, fix, show and enforce over many images: the story from options to exit code.
 * Takes: parsed options.  Gives: reports on the stream in the order of the command line, folders sorted by
 * name, and the most serious exit code. Must not: let one bad image stop the others, or keep more of an image
 * that is done than its report. */
#include "cli/run_images.h"

#include "cli/console.h"
#include "cli/image_reports.h"
#include "cli/interrupt.h"
#include "cli/judge_item.h"
#include "cli/progress.h"
#include "cli/report_files.h"
#include "cli/run_policy.h"
#include "cli/workers.h"
#include "report/safe_text.h"

static bool is_file(const struct work_item *item)
{
    return item->kind != WORK_FOLDER_END;
}

static void run_and_count(void *context, size_t number, struct ordered *ordered, struct arena_stock *stock)
{
    const struct image_run *run = context;
    judge_item(run, number, ordered, stock);
    if (is_file(&run->list->items[number]))
        progress_step();
}

static void begin_progress(const struct image_run *run)
{
    size_t file_count = 0;
    for (size_t i = 0; i < run->list->count; i++)
        file_count += is_file(&run->list->items[i]);
    if (!run->options->quiet)
        progress_begin(file_count);
}

static bool deliver(void *context, size_t number, const struct image_report *report, bool is_last)
{
    struct image_run *run = context;
    const struct work_item *item = &run->list->items[number];
    image_report_put(run, report, item->path);
    if (atomic_load(interrupt_flag()))
        return true; /* whatever lies in a folder: not all of it was looked at */
    if (item->kind == WORK_FOUND) {
        run->folder_image_count += report->is_shown;
    } else if (item->kind == WORK_FOLDER_END) {
        if (run->folder_image_count == 0)
            image_report_put_problem(run, item->path, HVCI9001_NOT_A_PE_IMAGE,
                                     "There is no Windows image in this folder.",
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
static void read_after(struct image_run *run, struct outcome *after)
{
    pipeline_run(run->options->after_path, &run->pipeline, after);
    if (after->judged) {
        run->after = after;
        return;
    }
    char room[REPORT_SCARCE_NBYTES];
    struct image_report report = image_report_make(run, after, room);
    image_report_put(run, &report, run->options->after_path);
}

static void run_list(struct image_run *run)
{
    struct outcome after;
    if (run->options->after_path)
        read_after(run, &after);
    struct ordered_jobs jobs = {
        .count = run->list->count,
        .worker_count = image_run_worker_count(run, run->list->count),
        .stop = interrupt_flag(),
        .context = run,
        .run = run_and_count,
        .deliver = deliver,
    };
    if (run->list->count > 1)
        workers_share_memory();
    begin_progress(run);
    ordered_run(&jobs);
    progress_end();
    if (run->options->after_path)
        pipeline_release(&after);
}

/* A diagnostic about a file, or about the command line, whose words come from outside. */
static void complain_of_text(const char *path, enum finding_code code, const char *message,
                             struct arena *arena)
{
    struct text text = {.arena = arena};
    safe_add_path(&text, path);
    text_printf(&text, " : error HVCI%04u: ", (unsigned)code);
    safe_add(&text, message);
    if (!arena->exhausted)
        console_complain("%s\n", text.chars);
}

/* False, with the run's exit code set, when the policy cannot be used: then nothing is judged. Its problems
 * are complained of. */
static bool use_policy(struct image_run *run, struct policy *policy, struct arena *arena)
{
    if (!run->options->policy_path && run->options->verb != VERB_ENFORCE)
        return true;
    run->policy = policy;
    return policy_load(run->options, run->style, arena, policy, &run->exit_code);
}

/* The same for --baseline. */
static bool use_baseline(struct image_run *run, struct baseline *baseline, struct arena *arena)
{
    const char *message;
    if (!run->options->baseline_path)
        return true;
    run->baseline = baseline;
    if (baseline_read(run->options->baseline_path, arena, baseline, &message))
        return true;
    if (arena->exhausted)
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the baseline.\n");
    else
        complain_of_text(run->options->baseline_path, HVCI9045_BASELINE_INVALID, message, arena);
    run->exit_code = arena->exhausted ? EXIT_INPUT : EXIT_USAGE;
    return false;
}

/* The same for --symbols: a path that leads nowhere must not look like an image without names. */
static bool find_symbols(struct image_run *run, struct arena *arena)
{
    const char *path = run->options->symbols_path;
    if (!path || !file_is_absent(path))
        return true;
    complain_of_text(path, HVCI9006_CANNOT_READ, "There is no such file or folder (--symbols).", arena);
    run->exit_code = EXIT_INPUT;
    return false;
}

/* The same for the report files that are wanted. */
static bool plan_reports(struct image_run *run, struct report_settings *settings, struct arena *arena)
{
    struct report_sinks *sinks = &run->sinks;
    struct report_wish *wishes;
    const char *message;
    bool is_planned =
        report_files_plan(run->options, run->policy, arena, &wishes, &sinks->count, settings, &message);
    sinks->settings = settings;
    if (!is_planned && message && !arena->exhausted) {
        complain_of_text("hvcifix", HVCI9010_USAGE, message, arena);
        run->exit_code = EXIT_USAGE;
        return false;
    }
    sinks->items = sinks->count != 0 ? arena_array(arena, sinks->count, sizeof *sinks->items) : NULL;
    if (!is_planned || (sinks->count != 0 && !sinks->items)) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the reports.\n");
        run->exit_code = EXIT_INPUT;
        return false;
    }
    for (size_t i = 0; i < sinks->count; i++)
        sinks->items[i].wish = wishes[i];
    return true;
}

/* The same for what is to be done. */
static bool list_work(struct image_run *run, struct work_list *list, struct arena *arena)
{
    run->baseline_seen =
        arena_array(arena, run->baseline ? run->baseline->count : 0, sizeof *run->baseline_seen);
    run->waiver_uses =
        arena_array(arena, run->policy ? run->policy->waiver_count : 0, sizeof *run->waiver_uses);
    run->list = list;
    if (run->waiver_uses && run->baseline_seen && work_list_make(run->options, arena, list))
        return true;
    console_complain("hvcifix : error HVCI9008: There was not enough memory to list these images.\n");
    run->exit_code = EXIT_INPUT;
    return false;
}

/* In place, whichever way it was said. Where the system does not tell, the output is a file of its own. */
static bool leaves_undo(const struct cli_options *options)
{
    struct file_identity output, image;
    bool is_same = options->output_path && file_identify(options->output_path, &output) &&
                   file_identify(options->paths[0], &image) && file_identity_is_equal(&output, &image);
    return options->verb == VERB_FIX && !options->no_undo && (options->in_place || is_same);
}

/* How each image is treated. */
static void set_treatment(struct image_run *run)
{
    const struct cli_options *options = run->options;
    run->pipeline = (struct pipeline_options){
        .goal = options->verb == VERB_CHECK ? GOAL_CHECK
                : options->verb == VERB_FIX ? GOAL_FIX
                                            : GOAL_SHOW,
        .target = run->policy ? run->policy->target : options->target,
        .policy = run->policy,
        .baseline = {.baseline = run->baseline},
        .all_rules = options->all_rules,
        .stop = interrupt_flag(),
        .judges_calls = options->verb == VERB_CHECK,
        .no_code = options->no_code,
        .symbols_path = options->symbols_path,
        .lists_calls = options->verb == VERB_SHOW && options->show == SHOW_CALLS,
        .dry_run = options->dry_run,
        .output_path = options->output_path,
        .leaves_undo = leaves_undo(options),
        .drop_signature = options->drop_signature,
        .adds_nx = options->nx,
        .pdb_wish = options->pdb_wish,
        .pdb_path = options->pdb_path,
        .names_symbols = options->map_path || options->linker_map_path,
        .only = options->only,
        .only_count = options->only_count,
    };
    if (options->signer) {
        options->signer->beside = options->output_path;
        run->seal = (struct pipeline_seal){signer_run, options->signer};
        run->pipeline.seal = &run->seal;
    }
    run->enforce = (struct enforce_options){.policy = run->policy,
                                            .baseline = {.baseline = run->baseline},
                                            .target = run->pipeline.target,
                                            .on_fail = options->on_fail,
                                            .symbols_path = options->symbols_path,
                                            .stop = interrupt_flag()};
}

enum exit_code run_images(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    struct arena arena;
    struct policy policy;
    struct baseline baseline;
    struct report_settings settings;
    struct work_list list;
    struct image_run run = {.options = options, .style = style, .stream = stream};

    arena_init(&arena, NULL);
    if (use_policy(&run, &policy, &arena) && use_baseline(&run, &baseline, &arena) &&
        find_symbols(&run, &arena) && plan_reports(&run, &settings, &arena) &&
        list_work(&run, &list, &arena)) {
        /* From here on nothing can keep the run from its images. */
        set_treatment(&run);
        report_sinks_open(&run.sinks);
        image_reports_begin(&run, &arena);
        run_list(&run);
        image_reports_end(&run, &arena);
        report_sinks_close(&run.sinks);
    }
    arena_free(&arena);
    return run.exit_code;
}
