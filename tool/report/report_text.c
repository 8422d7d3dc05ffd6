/* report_text.c - one image as text for people and MSBuild, and the summary of a run.
 * Takes: outcomes.  Gives: finding lines that MSBuild parses, and indented or coded lines that it does not.
 * Must not: decide anything. */
#include "report/calls_words.h"
#include "report/layout.h"
#include "report/report.h"
#include "report/result_words.h"
#include "report/safe_text.h"
#include "report/shown_findings.h"
#include "report/text_changes.h"
#include "report/text_finding.h"

/* Many calls of which nothing is known, for one reason. */
static void add_alike(struct text *text, const struct outcome *outcome, const struct alike_notes *alike,
                      const struct finding *finding, const struct report_style *style)
{
    struct finding all = *finding;
    all.message = arena_printf(text->arena, "%u %s.", (unsigned)alike_notes_count(alike, finding),
                               finding->call->alike);
    text_finding_line(text, outcome->path, &all, finding->level, "", style);
    if (style->quiet)
        return;
    layout_labelled(text, "places", alike_notes_places(alike, finding, text->arena));
    text_finding_advice(text, finding);
}

/* The next one that has lines of its own. */
static bool next_told(const struct outcome *outcome, const struct alike_notes *alike,
                      struct shown_cursor *cursor, struct shown_finding *shown)
{
    while (shown_next(outcome, cursor, shown))
        if (shown->is_cured || alike_notes_count(alike, shown->finding) != 0)
            return true;
    return false;
}

static void add_findings(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    struct alike_notes alike;
    (void)alike_notes_find(outcome, text->arena, &alike);
    struct shown_cursor cursor = {0};
    struct shown_finding shown, next;
    bool has_next = next_told(outcome, &alike, &cursor, &next);
    while (has_next) {
        shown = next;
        has_next = next_told(outcome, &alike, &cursor, &next);
        if (!shown.is_cured && alike_notes_count(&alike, shown.finding) > 1) {
            add_alike(text, outcome, &alike, shown.finding, style);
            continue;
        }
        text_finding_line(text, outcome->path, shown.finding, shown.level, shown.is_cured ? "cured: " : "",
                          style);
        if (style->quiet || shown.is_cured)
            continue;
        text_finding_waiver(text, shown.finding);
        text_finding_facts(text, shown.finding);
        bool is_said_again =
            has_next && !next.is_cured && text_finding_same_advice(shown.finding, next.finding);
        /* A refusal to repair a finding repeats that finding's cure, which stands under the finding. */
        if (!is_said_again && shown.finding->code != HVCI9022_NO_REPAIR)
            text_finding_advice(text, shown.finding);
    }
}

/* "2 errors, 1 note" of what add_findings() prints; false and nothing when that is nothing. */
static bool add_level_counts(struct text *text, const struct report_totals *totals)
{
    const struct {
        size_t count;
        const char *one, *many;
    } levels[] = {
        {totals->finding_errors, "error", "errors"},
        {totals->finding_warnings, "warning", "warnings"},
        {totals->finding_notes, "note", "notes"},
    };
    const char *comma = "";
    for (size_t i = 0; i < 3; i++) {
        if (levels[i].count == 0)
            continue;
        text_addz(text, comma);
        layout_count(text, levels[i].count, levels[i].one, levels[i].many);
        comma = ", ";
    }
    if (totals->finding_waived != 0)
        text_printf(text, ", %zu of them waived", totals->finding_waived);
    if (totals->finding_known != 0)
        text_printf(text, ", %zu of them known", totals->finding_known);
    return comma[0] != 0;
}

static void add_clean(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    layout_paint(text, style, PAINT_GOOD, "clean");
    size_t pass_count = 0, other_count = 0;
    for (size_t i = 0; outcome->judged && i < rules_count; i++) {
        pass_count += outcome->answers[i].verdict == RULE_PASS;
        other_count += outcome->answers[i].verdict == RULE_NOT_APPLICABLE;
    }
    if (pass_count + other_count == 0)
        return;
    text_addz(text, " (");
    layout_count(text, pass_count, "rule passes", "rules pass");
    if (other_count != 0) {
        text_addz(text, ", ");
        layout_count(text, other_count, "does not apply", "do not apply");
    }
    text_addz(text, ")");
}

static void add_result(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    struct report_totals totals = {0};
    report_count(&totals, outcome);
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    text_addz(text, ": ");
    switch (outcome->status) {
    case STATUS_CLEAN:
        add_clean(text, outcome, style);
        break;
    case STATUS_FINDINGS:
        layout_paint(text, style, totals.finding_errors ? PAINT_BAD : PAINT_WARNING, "findings");
        break;
    case STATUS_FIXED:
        layout_paint(text, style, PAINT_GOOD, outcome->wrote ? "fixed" : "can be fixed, nothing was written");
        break;
    case STATUS_REFUSED:
        layout_paint(text, style, PAINT_BAD, "refused, nothing was written");
        break;
    case STATUS_ERROR:
        layout_paint(text, style, PAINT_BAD, result_error_words(outcome));
        break;
    }
    bool is_changed = outcome->status == STATUS_FIXED && outcome->has_plan;
    if (is_changed)
        text_changes_count(text, &outcome->plan);
    if (outcome->status != STATUS_ERROR &&
        totals.finding_errors + totals.finding_warnings + totals.finding_notes) {
        text_addz(text, " (");
        add_level_counts(text, &totals);
        text_addz(text, ")");
    }
    safe_end_line(text, line_start);
    /* What a dry run would change is told by report_text_plan(). */
    if (is_changed && outcome->wrote)
        text_changes_list(text, outcome);
    if (is_changed && outcome->wrote && outcome->has_verdict)
        layout_labelled(text, "verified", text_verdict_words(outcome->verdict.result));
    if (is_changed && outcome->wrote && outcome->has_verdict && outcome->verdict.still_broken)
        text_still_broken(text, &outcome->verdict);
    if (outcome->wrote) {
        const char *what = outcome->is_package ? "the new package"
                           : is_changed        ? "the repaired image"
                                               : "an unchanged copy";
        layout_labelled(text, "written",
                        outcome->output_path
                            ? arena_printf(text->arena, "%s, to %s", what, outcome->output_path)
                            : arena_printf(text->arena, "%s, in place", what));
    }
    layout_labelled(text, "calls", calls_words(calls_of(outcome), text->arena));
    if (outcome->undo.is_left)
        layout_labelled(text, "undo",
                        arena_printf(text->arena, "%s, %zu bytes; \"hvcifix restore\" goes back by it",
                                     outcome->undo.path, outcome->undo.nbytes));
    layout_labelled(text, "policy", result_enforced_words(outcome, text->arena));
    layout_labelled(text, "remark", outcome->remark);
    layout_labelled(text, "next", outcome->next_step);
}

void report_text_image(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    add_findings(text, outcome, style);
    if (!style->quiet)
        add_result(text, outcome, style);
}

static void count_status(struct report_totals *totals, const struct outcome *outcome)
{
    switch (outcome->status) {
    case STATUS_CLEAN:
        totals->clean++;
        break;
    case STATUS_FINDINGS:
        totals->with_findings++;
        break;
    case STATUS_FIXED:
        totals->fixed += outcome->wrote;
        totals->fixable += !outcome->wrote;
        break;
    case STATUS_REFUSED:
        totals->refused++;
        break;
    case STATUS_ERROR:
        totals->errors++;
        break;
    }
}

void report_count(struct report_totals *totals, const struct outcome *outcome)
{
    if (!outcome->is_package) {
        totals->images++;
        count_status(totals, outcome);
    }
    struct shown_cursor cursor = {0};
    struct shown_finding shown;
    while (shown_next(outcome, &cursor, &shown)) {
        totals->finding_errors += shown.level == LEVEL_ERROR;
        totals->finding_warnings += shown.level == LEVEL_WARNING;
        totals->finding_notes += shown.level == LEVEL_NOTE && !shown.is_cured;
        totals->finding_waived += shown.finding->waiver && !shown.is_cured;
        totals->finding_known += shown.finding->is_known && !shown.is_cured;
    }
    const struct call_judgement *calls = calls_of(outcome);
    totals->calls_not_judged += calls_are_missing(calls);
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++)
        totals->calls[i] += calls->counts[i];
}

void report_totals_add(struct report_totals *totals, const struct report_totals *more)
{
    totals->images += more->images;
    totals->clean += more->clean;
    totals->with_findings += more->with_findings;
    totals->fixed += more->fixed;
    totals->fixable += more->fixable;
    totals->refused += more->refused;
    totals->errors += more->errors;
    totals->finding_errors += more->finding_errors;
    totals->finding_warnings += more->finding_warnings;
    totals->finding_notes += more->finding_notes;
    totals->finding_waived += more->finding_waived;
    totals->finding_known += more->finding_known;
    totals->calls_not_judged += more->calls_not_judged;
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++)
        totals->calls[i] += more->calls[i];
}

/* A line of its own before the last, where there is something to count or something was not counted. */
static void add_calls_summary(struct text *text, const struct report_totals *totals)
{
    size_t line_start = text->nbytes, all = 0;
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++)
        all += totals->calls[i];
    if (all == 0 && totals->calls_not_judged == 0)
        return;
    text_addz(text, "calls that may ask for executable memory: ");
    if (all != 0)
        text_addz(text, calls_count_words(totals->calls, text->arena));
    if (totals->calls_not_judged != 0) {
        text_addz(text, all != 0 ? "; not judged in " : "not judged in ");
        layout_count(text, totals->calls_not_judged, "image", "images");
    }
    safe_end_line(text, line_start);
}

void report_text_summary(struct text *text, const struct report_totals *totals,
                         const struct report_style *style)
{
    if (style->quiet)
        return;
    const struct {
        size_t count;
        const char *words;
    } results[] = {
        {totals->clean, "clean"},     {totals->with_findings, "with findings"},
        {totals->fixed, "fixed"},     {totals->fixable, "can be fixed"},
        {totals->refused, "refused"}, {totals->errors, "failed"},
    };
    add_calls_summary(text, totals);
    size_t line_start = text->nbytes;
    layout_count(text, totals->images, "image", "images");
    const char *comma = ": ";
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        if (results[i].count == 0)
            continue;
        text_printf(text, "%s%zu %s", comma, results[i].count, results[i].words);
        comma = ", ";
    }
    text_addz(text, "; ");
    if (!add_level_counts(text, totals))
        text_addz(text, "no findings");
    safe_end_line(text, line_start);
}
