/* html_summary.c - the top of the page: how the run went, what was asked, the waivers, how to read the
 * pictures. Takes: what is known of the run.  Gives: elements.  Must not: judge. */
#include "report/html_parts.h"
#include "report/html_text.h"

static void add_tile(struct text *text, size_t count, const char *class_name, const char *one,
                     const char *many)
{
    if (count == 0)
        return;
    text_printf(text, "<li class=\"%s\"><b>", class_name);
    html_number(text, count);
    text_printf(text, "</b> %s</li>\n", count == 1 ? one : many);
}

/* Calls that may ask for executable memory, all four counts where there is one. */
static void add_call_tiles(struct text *text, const struct report_totals *totals)
{
    static const char *const classes[SITE_VERDICT_COUNT] = {"error", "good", "warning", "note"};
    size_t all = 0;
    for (size_t i = 0; i < SITE_VERDICT_COUNT; i++)
        all += totals->calls[i];
    if (all == 0 && totals->calls_not_judged == 0)
        return;
    text_addz(text, "<p>Calls that may ask for executable memory:</p>\n<ul class=\"tiles small\">\n");
    for (size_t i = 0; all != 0 && i < SITE_VERDICT_COUNT; i++) {
        text_printf(text, "<li class=\"%s\"><b>", classes[i]);
        html_number(text, totals->calls[i]);
        text_printf(text, "</b> %s</li>\n", site_verdict_name((enum site_verdict)i));
    }
    add_tile(text, totals->calls_not_judged, "warning", "image whose calls were not judged",
             "images whose calls were not judged");
    text_addz(text, "</ul>\n");
}

static void add_tiles(struct text *text, const struct report_totals *totals)
{
    text_addz(text, "<ul class=\"tiles\">\n");
    add_tile(text, totals->images, "plain", "image", "images");
    add_tile(text, totals->clean, "good", "clean", "clean");
    add_tile(text, totals->fixed, "good", "repaired", "repaired");
    add_tile(text, totals->fixable, "good", "can be repaired", "can be repaired");
    add_tile(text, totals->with_findings, "plain", "with findings", "with findings");
    add_tile(text, totals->refused, "error", "refused", "refused");
    add_tile(text, totals->errors, "error", "failed", "failed");
    text_addz(text, "</ul>\n<ul class=\"tiles small\">\n");
    add_tile(text, totals->finding_errors, "error", "error", "errors");
    add_tile(text, totals->finding_warnings, "warning", "warning", "warnings");
    add_tile(text, totals->finding_notes, "note", "note", "notes");
    add_tile(text, totals->finding_waived, "waived", "of them waived", "of them waived");
    add_tile(text, totals->finding_known, "plain", "of them in the baseline", "of them in the baseline");
    if (totals->finding_errors + totals->finding_warnings + totals->finding_notes == 0)
        text_addz(text, "<li class=\"good\">no findings</li>\n");
    text_addz(text, "</ul>\n");
    add_call_tiles(text, totals);
}

static void add_fact(struct text *text, const char *name, const char *words)
{
    if (!words || words[0] == 0)
        return;
    text_printf(text, "<dt>%s</dt>", name);
    html_element(text, "dd", NULL, words);
}

static void add_run(struct text *text, const struct report_run *run)
{
    text_addz(text, "<dl class=\"facts\">");
    if (run->verb)
        add_fact(text, "Command", arena_printf(text->arena, "hvcifix %s", run->verb));
    add_fact(text, "Oldest Windows", target_name(run->target));
    if (run->policy) {
        bool has_path = run->policy->path && run->policy->path[0] != 0;
        add_fact(text, "Policy", has_path ? run->policy->path : "built in");
        add_fact(text, "Its name", run->policy->name);
        add_fact(text, "Its mode", policy_mode_name(run->policy->mode));
    }
    if (run->baseline)
        add_fact(text, "Baseline", run->baseline->path);
    text_addz(text, "</dl>\n");
}

/* What has come of a waiver. */
static void add_use(struct text *text, const struct report_run *run, size_t number)
{
    const struct waiver *waiver = &run->policy->waivers[number];
    const struct policy *policy = run->policy;
    if (waiver->expires < policy->today)
        html_badge(text, "error", "expired");
    else if (run->waiver_uses && run->waiver_uses[number] == WAIVER_UNUSED)
        html_badge(text, "warning", "waives nothing");
    else if (waiver->expires - policy->today < (day_number)policy->expiry_warning_days)
        html_badge(text, "warning", "ends soon");
    else if (run->waiver_uses && run->waiver_uses[number] == WAIVER_ELSEWHERE)
        html_badge(text, "plain", "no such image here");
    else
        html_badge(text, "waived", "in force");
}

static void add_waiver(struct text *text, const struct report_run *run, size_t number)
{
    const struct waiver *waiver = &run->policy->waivers[number];
    char day[CALENDAR_DAY_NBYTES];
    calendar_name(waiver->expires, day);
    text_addz(text, "<tr><td>");
    html_element(text, "bdi", "name", waiver->name);
    text_printf(text, "<br><code>HVCI%04u</code> in ", (unsigned)waiver->code);
    html_element(text, "bdi", "name", waiver->image);
    if (waiver->section) {
        text_addz(text, ", section ");
        html_element(text, "bdi", "name", waiver->section);
    }
    text_addz(text, "</td><td>");
    html_add(text, waiver->reason);
    text_addz(text, "</td><td>");
    html_element(text, "bdi", NULL, waiver->owner);
    text_printf(text, "</td><td><span class=\"day\">%s</span><br>", day);
    add_use(text, run, number);
    text_addz(text, "</td></tr>\n");
}

static void add_waivers(struct text *text, const struct report_run *run)
{
    if (!run->policy || run->policy->waiver_count == 0)
        return;
    text_addz(text, "<h2>Waivers <span class=\"of\">");
    html_number(text, run->policy->waiver_count);
    text_addz(text, "</span></h2>\n<div class=\"scroll\" role=\"group\" aria-label=\"Waivers\" "
                    "tabindex=\"0\"><table class=\"waivers\"><thead><tr><th>Waiver</th>"
                    "<th>Reason</th><th>Owner</th><th>Until</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < run->policy->waiver_count; i++)
        add_waiver(text, run, i);
    text_addz(text, "</tbody></table></div>\n");
}

static void add_legend(struct text *text)
{
    text_addz(text,
              "<details class=\"legend\"><summary>How to read the pictures</summary>\n<ul>\n"
              "<li><span class=\"key r\">R--</span> can only be read</li>\n"
              "<li><span class=\"key rw\">RW-</span> can be read and written</li>\n"
              "<li><span class=\"key rx\">R-X</span> can be read and executed</li>\n"
              "<li><span class=\"key wx\">RWX</span> can be written and executed: memory integrity forbids "
              "it</li>\n"
              "<li><span class=\"key r\">d</span> is discarded after the driver has started</li>\n"
              "<li><span class=\"squares\">■■■</span> each square is a page of 4 KiB, or as many as the row "
              "says</li>\n"
              "<li><span class=\"bad\">! HVCI2003</span> this rule objects to pages of the row</li>\n"
              "<li><span class=\"number\">1</span> this piece left its neighbours; the table under the "
              "picture says "
              "why</li>\n</ul></details>\n");
}

void html_summary(struct text *text, const struct report_run *run, size_t attention_count)
{
    text_addz(text,
              "<header><p class=\"tool\">hvcifix</p><h1>Memory integrity report</h1>\n<p class=\"verdict ");
    text_addz(text, attention_count == 0 ? "good\">" : "error\">");
    if (attention_count == 0) {
        text_addz(text, run->totals.images == 0 ? "No image was looked at." : "No image needs attention.");
    } else {
        html_number(text, attention_count);
        text_addz(text, " of ");
        html_count(text, run->totals.images, "image", "images");
        text_addz(text, attention_count == 1 ? " needs attention." : " need attention.");
    }
    text_addz(text, "</p>\n");
    add_tiles(text, &run->totals);
    add_run(text, run);
    text_addz(text, "</header>\n<main>\n");
    add_waivers(text, run);
    add_legend(text);
    text_addz(text, "<nav aria-label=\"Images\">\n");
}
