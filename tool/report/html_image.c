/* html_image.c - one image of the page: its row in the table, and its details.
 * Takes: an outcome.  Gives: a fragment (html_parts.h).  Must not: judge. */
#include "report/calls_words.h"
#include "report/html_parts.h"
#include "report/html_picture.h"
#include "report/html_text.h"
#include "report/result_words.h"
#include "report/shown_findings.h"

#include <string.h>

enum { MOST_CODES_IN_A_ROW = 6, CODES_ROOM = 32 };

static enum html_group group_of(const struct outcome *outcome, const struct report_totals *totals)
{
    if (outcome->exit_code != EXIT_CLEAN || outcome->enforced == WOULD_REJECT)
        return HTML_ATTENTION;
    if (outcome->status == STATUS_FIXED)
        return HTML_REPAIRED;
    bool has_remarks = totals->finding_errors + totals->finding_warnings + totals->finding_notes != 0;
    return has_remarks || outcome->problems.count != 0 || outcome->remark ? HTML_REMARKS : HTML_CLEAN;
}

/* One word or two on what became of the image. */
static void add_result_badge(struct text *text, const struct outcome *outcome)
{
    switch (outcome->enforced) {
    case ENFORCE_REJECTED:
        html_badge(text, "error", "rejected");
        return;
    case WOULD_REJECT:
        html_badge(text, "error", "would be rejected");
        return;
    case WOULD_REPAIR:
        html_badge(text, "good", "would be repaired");
        return;
    default:
        break;
    }
    bool has_passed = outcome->enforced == ENFORCE_PASSED || outcome->enforced == WOULD_PASS;
    switch (outcome->status) {
    case STATUS_CLEAN:
        html_badge(text, "good", "clean");
        break;
    case STATUS_FINDINGS:
        if (has_passed)
            html_badge(text, "good", "passed");
        else
            html_badge(text, outcome->exit_code != EXIT_CLEAN ? "error" : "note", "findings");
        break;
    case STATUS_FIXED:
        html_badge(text, outcome->exit_code != EXIT_CLEAN ? "warning" : "good",
                   outcome->wrote ? "repaired" : "can be repaired");
        break;
    case STATUS_REFUSED:
        html_badge(text, "error", "refused");
        break;
    case STATUS_ERROR:
        html_badge(text, "error", "failed");
        break;
    }
}

static void add_level_count(struct text *text, size_t count, const char *class_name, const char *one,
                            const char *many)
{
    if (count == 0)
        return;
    text_printf(text, "<span class=\"%s\">", class_name);
    html_count(text, count, one, many);
    text_addz(text, "</span> ");
}

static void add_level_counts(struct text *text, const struct report_totals *totals)
{
    add_level_count(text, totals->finding_errors, "count error", "error", "errors");
    add_level_count(text, totals->finding_warnings, "count warning", "warning", "warnings");
    add_level_count(text, totals->finding_notes, "count note", "note", "notes");
    add_level_count(text, totals->finding_waived, "count waived", "waived", "waived");
}

/* Each code once, in the order of the findings. */
static void add_codes(struct text *text, const struct outcome *outcome)
{
    enum finding_code codes[CODES_ROOM];
    size_t count = 0;
    struct shown_cursor cursor = {0};
    struct shown_finding shown;
    while (count < CODES_ROOM && shown_next(outcome, &cursor, &shown)) {
        size_t at = 0;
        while (at < count && codes[at] != shown.finding->code)
            at++;
        if (at == count)
            codes[count++] = shown.finding->code;
    }
    for (size_t i = 0; i < count && i < MOST_CODES_IN_A_ROW; i++)
        text_printf(text, "%s<code>HVCI%04u</code>", i == 0 ? "" : " ", (unsigned)codes[i]);
    if (count > MOST_CODES_IN_A_ROW)
        text_printf(text, " +%zu", count - MOST_CODES_IN_A_ROW);
}

static void add_kind(struct text *text, const struct outcome *outcome)
{
    const struct image *image = &outcome->image;
    if (!outcome->has_image) {
        text_addz(text, "not read");
        return;
    }
    html_add(text, image_machine_name(image));
    text_addz(text, image->role == ROLE_KERNEL ? ", kernel"
                    : image->role == ROLE_USER ? ", user mode"
                                               : ", firmware");
}

static void add_cells(struct text *text, const struct outcome *outcome, const struct report_totals *totals,
                      enum html_group group)
{
    text_addz(text, "<td>");
    add_result_badge(text, outcome);
    text_addz(text, "</td><td>");
    add_kind(text, outcome);
    text_addz(text, "</td>");
    if (group == HTML_CLEAN)
        return;
    text_addz(text, "<td>");
    add_level_counts(text, totals);
    text_addz(text, "</td><td>");
    add_codes(text, outcome);
    text_addz(text, "</td>");
}

static void add_fact(struct text *text, const char *name, const char *words)
{
    if (!words || words[0] == 0)
        return;
    text_printf(text, "<dt>%s</dt>", name);
    html_element(text, "dd", NULL, words);
}

/* A whole sentence on the result. */
static const char *result_words(const struct outcome *outcome)
{
    switch (outcome->status) {
    case STATUS_CLEAN:
        return "No rule has anything to say about it.";
    case STATUS_FINDINGS:
        return outcome->exit_code != EXIT_CLEAN ? "It breaks rules that it has to keep."
                                                : "Nothing that stops it.";
    case STATUS_FIXED:
        if (outcome->has_verdict && outcome->verdict.result == VERIFY_PROVED_WITH_ASSUMPTIONS)
            return outcome->wrote
                       ? "It was repaired. The repair was verified before it was written; its proof rests on "
                         "assumptions, which are named below."
                       : "It can be repaired: the repair was made and verified, and nothing was written. Its "
                         "proof rests on assumptions, which are named below.";
        return outcome->wrote
                   ? "It was repaired, and the repair was proved before it was written."
                   : "It can be repaired: the repair was made and proved, and nothing was written.";
    case STATUS_REFUSED:
        return "No repair could be proved, so nothing was written.";
    case STATUS_ERROR:
        break;
    }
    return NULL;
}

static void add_facts(struct text *text, const struct outcome *outcome, const struct report_totals *totals)
{
    struct arena *arena = text->arena;
    text_addz(text, "<p class=\"result\">");
    add_result_badge(text, outcome);
    add_level_counts(text, totals);
    if (outcome->status == STATUS_ERROR) {
        text_addz(text, "It ");
        const char *words = result_error_words(outcome);
        bool is_verb = strncmp(words, "could", 5) == 0;
        text_addz(text, is_verb ? "" : "is ");
        html_add(text, words);
        text_addz(text, ".");
    } else {
        html_add(text, result_words(outcome));
    }
    text_addz(text, "</p>\n<dl class=\"facts\">");
    if (outcome->has_image) {
        const struct image *image = &outcome->image;
        add_fact(text, "Image",
                 arena_printf(arena, "%s, %s, %s, %u section%s", image_machine_name(image),
                              image_subsystem_name(image),
                              image->role == ROLE_KERNEL ? "kernel image"
                              : image->role == ROLE_USER ? "user-mode image"
                                                         : "firmware image",
                              (unsigned)image->section_count, image->section_count == 1 ? "" : "s"));
        if (image->is_flat)
            add_fact(
                text, "Rights",
                arena_printf(arena,
                             "SectionAlignment 0x%X is less than a page, so Windows maps the file as one "
                             "piece and every page is readable, writable and executable, whatever the "
                             "section headers say.",
                             (unsigned)image->section_alignment));
    }
    add_fact(text, "Calls that may ask for executable memory", calls_words(calls_of(outcome), arena));
    add_fact(text, "Policy", result_enforced_words(outcome, arena));
    if (outcome->wrote)
        add_fact(text, "Written", outcome->output_path ? outcome->output_path : "in place");
    add_fact(text, "Remark", outcome->remark);
    text_addz(text, "</dl>\n");
}

/* The repaired image as an outcome of its own, with the findings that remain. */
static bool read_after(struct arena *arena, const struct outcome *outcome, struct outcome *after)
{
    struct span bytes = {outcome->output.bytes, outcome->output.nbytes};
    struct finding error;
    if (outcome->status != STATUS_FIXED || !outcome->has_remaining || !bytes.bytes)
        return false;
    after->path = outcome->path;
    after->target = outcome->target;
    after->findings = outcome->remaining;
    after->has_image = after->judged = true;
    return image_read(bytes, arena, &after->image, &error) &&
           refs_collect(&after->image, arena, rules_sources(), &after->refs);
}

static void add_picture(struct text *text, const struct outcome *outcome)
{
    if (!outcome->has_image || !outcome->judged)
        return;
    struct outcome *after = arena_alloc(text->arena, sizeof *after);
    if (!after)
        return;
    bool has_after = read_after(text->arena, outcome, after);
    text_addz(text, "<figure class=\"scroll\" aria-label=\"Picture of the pages\" tabindex=\"0\">\n");
    html_picture(text, outcome, has_after ? after : NULL, outcome->has_plan ? outcome->plan.layout : NULL);
    text_addz(text, "</figure>\n");
}

static void add_details(struct text *text, const struct outcome *outcome, const struct report_totals *totals)
{
    add_facts(text, outcome, totals);
    add_picture(text, outcome);
    html_moves(text, outcome);
    html_findings(text, outcome);
    html_changes(text, outcome);
    html_cured(text, outcome);
}

static void write_length(char *at, size_t nbytes)
{
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned i = 8; i-- > 0; nbytes >>= 4)
        at[i] = digits[nbytes & 0xF];
}

/* Written front to back into the one text, the lengths last, so that it can be done without other memory. */
void report_html_image(struct text *text, const struct outcome *outcome,
                       const struct report_settings *settings)
{
    (void)settings;
    struct report_totals totals = {0};
    report_count(&totals, outcome);
    enum html_group group = group_of(outcome, &totals);
    size_t start = text->nbytes;
    text_printf(text, "%d%24s", (int)group, "");
    size_t ends[4] = {text->nbytes};
    html_path(text, outcome->path);
    ends[1] = text->nbytes;
    add_cells(text, outcome, &totals, group);
    ends[2] = text->nbytes;
    if (group != HTML_CLEAN)
        add_details(text, outcome, &totals);
    ends[3] = text->nbytes;
    text_cut_if_exhausted(text, start);
    for (unsigned i = 0; i < 3 && text->nbytes != start; i++)
        write_length(text->chars + start + 1 + (size_t)8 * i, ends[i + 1] - ends[i]);
}
