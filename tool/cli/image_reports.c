/* image_reports.c - image_reports.h.
 * Takes: outcomes and totals.  Gives: text, JSON or nothing on the stream, and report files at the end.
 * Must not: judge, or keep more of an image that is done than its report. */
#include "cli/image_reports.h"

#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "io/file.h"
#include "report/report_policy.h"
#include "report/report_undo.h"

/* What stands before and behind the reports needs no more, so it never fails for memory. */
enum { SUMMARY_NBYTES = 1024 };

/* A map belongs to a repair that was proved; without one there is none. */
static void write_map(const char *path, void (*write)(struct text *, const struct outcome *),
                      struct outcome *outcome, struct image_report *report)
{
    struct text map = {.arena = &outcome->arena};
    struct finding error;
    if (!path || outcome->status != STATUS_FIXED)
        return;
    write(&map, outcome);
    struct file_replacement replacement = {
        .path = path, .bytes = {(const uint8_t *)map.chars, map.nbytes}, .mode = 0644};
    if (!outcome->arena.exhausted && file_replace(&replacement, &outcome->arena, &error) == FILE_WRITTEN)
        return;
    console_complain("%s : error HVCI9007: The map could not be written.\n", path);
    report->exit_code = exit_code_worse(report->exit_code, EXIT_WRITE);
}

struct image_report image_report_make(const struct image_run *run, struct outcome *outcome,
                                      char room[REPORT_SCARCE_NBYTES])
{
    struct text text = {.arena = &outcome->arena};
    struct image_report report = {.is_shown = true, .exit_code = outcome->exit_code};
    bool is_json = run->options->format == FORMAT_JSON;
    bool is_readable = outcome->has_image && outcome->judged;
    write_map(run->options->map_path, report_json_map, outcome, &report);
    write_map(run->options->linker_map_path, report_linker_map, outcome, &report);
    if (outcome->side_file && is_json) {
        report_json_undo(&text, outcome->path, outcome->side_file, outcome->file.bytes.nbytes);
    } else if (outcome->side_file) {
        report_text_undo(&text, outcome->path, outcome->side_file, outcome->file.bytes.nbytes);
    } else if (run->options->verb == VERB_SHOW && is_readable) {
        if (run->after)
            report_text_show_pair(&text, outcome, run->after, run->style);
        else if (is_json)
            report_json_show(&text, outcome, run->options->show, true);
        else
            report_text_show(&text, outcome, run->options->show, run->style);
    } else if (is_json) {
        report_json_image(&text, outcome, true);
    } else if (run->options->format == FORMAT_TEXT) { /* the other formats are put out at the end */
        if (run->options->dry_run && outcome->has_plan)
            report_text_plan(&text, outcome, run->style);
        report_text_image(&text, outcome, run->style);
    }
    report.shown_nbytes = text.nbytes;
    (void)report_sinks_image(&run->sinks, outcome, &text, &report);
    if (outcome->arena.exhausted) { /* something is missing from the text */
        report.is_scarce = true;
        report.was_written = outcome->wrote;
        report.nbytes = report_scarce(room, outcome, is_json, run->style, &report.totals);
        if (!is_json && run->options->format != FORMAT_TEXT)
            report.nbytes = 0;
        report.shown_nbytes = report.nbytes;
        report.chars = room;
        report.exit_code = exit_code_worse(report.exit_code, EXIT_INPUT);
        return report;
    }
    report_count(&report.totals, outcome);
    report.chars = text.chars;
    report.nbytes = text.nbytes;
    return report;
}

static void put(struct image_run *run, const char *chars, size_t nbytes)
{
    if (nbytes == 0)
        return;
    bool is_terminal = console_is_terminal(run->stream);
    if (is_terminal)
        progress_hide();
    console_write(run->stream, chars, nbytes); /* failures are seen by ferror() */
    if (is_terminal) {
        fflush(run->stream);
        progress_show();
    }
}

void image_reports_begin(struct image_run *run, struct arena *arena)
{
    char room[SUMMARY_NBYTES];
    struct text text = {.arena = arena, .chars = room, .capacity = sizeof room};
    if (run->options->format == FORMAT_JSON)
        report_json_begin(&text);
    put(run, text.chars, text.nbytes);
}

void image_report_put(struct image_run *run, const struct image_report *report, const char *path)
{
    if (!report->is_shown)
        return;
    if (run->has_reports && run->options->format == FORMAT_JSON)
        put(run, ",\n", 2);
    put(run, report->chars, report->shown_nbytes);
    report_sinks_keep(&run->sinks, report, path);
    report_totals_add(&run->totals, &report->totals);
    run->exit_code = exit_code_worse(run->exit_code, report->exit_code);
    run->has_reports = true;
}

void image_report_put_problem(struct image_run *run, const char *path, enum finding_code code,
                              const char *message, const char *cure, enum exit_code exit_code)
{
    struct outcome outcome = {
        .path = path, .status = STATUS_ERROR, .exit_code = exit_code, .target = run->pipeline.target};
    arena_init(&outcome.arena, run->pipeline.allocator);
    struct finding problem = {.code = code,
                              .level = LEVEL_ERROR,
                              .rva = NO_RVA,
                              .file_offset = NO_FILE_OFFSET,
                              .place_count = 1,
                              .message = message,
                              .cure = cure};
    outcome.problems.items = &problem;
    outcome.problems.count = outcome.problems.capacity = 1;
    if (run->options->verb == VERB_ENFORCE && run->policy->mode == MODE_AUDIT && exit_code != EXIT_USAGE)
        enforce_settle(&run->enforce, &outcome); /* an audit stops nothing */
    char room[REPORT_SCARCE_NBYTES];
    struct image_report report = image_report_make(run, &outcome, room);
    image_report_put(run, &report, path);
    pipeline_release(&outcome);
}

/* Waivers that have nothing to waive are said on standard error: they are not about an image. */
static void complain_of_unused_waivers(const struct image_run *run, const enum waiver_use *uses,
                                       struct arena *arena)
{
    struct text text = {.arena = arena};
    if (uses && run->policy)
        report_text_unused_waivers(&text, run->policy, uses, run->style);
    if (text.nbytes != 0 && !arena->exhausted)
        console_complain("%s", text.chars);
}

void image_reports_end(struct image_run *run, struct arena *arena)
{
    const enum waiver_use *uses = image_run_waiver_uses(run, arena);
    char room[SUMMARY_NBYTES];
    struct text text = {.arena = arena, .chars = room, .capacity = sizeof room};
    if (run->options->format == FORMAT_JSON && atomic_load(interrupt_flag()))
        report_json_end_early(&text);
    else if (run->options->format == FORMAT_JSON)
        report_json_end(&text);
    else if (run->options->format == FORMAT_TEXT && run->options->verb != VERB_SHOW)
        report_text_summary(&text, &run->totals, run->style);
    put(run, text.chars, text.nbytes);
    if (atomic_load(interrupt_flag()))
        return; /* a report on half of the images must not be taken for one on all */
    complain_of_unused_waivers(run, uses, arena);
    struct report_run whole = {.verb = verb_rows[run->options->verb].name,
                               .target = run->pipeline.target,
                               .policy = run->policy,
                               .waiver_uses = uses,
                               .baseline = run->baseline,
                               .baseline_seen = image_run_baseline_seen(run, arena),
                               .settings = run->sinks.settings,
                               .totals = run->totals,
                               .exit_code = run->exit_code};
    run->exit_code = exit_code_worse(run->exit_code, report_sinks_write(&run->sinks, &whole, run->stream));
}
