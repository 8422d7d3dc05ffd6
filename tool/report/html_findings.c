/* html_findings.c - findings as HTML: what, where, the evidence, who has waived it, why Windows minds, the
 * cure. Takes: an outcome.  Gives: elements.  Must not: judge. */
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/own_codes.h"
#include "report/shown_findings.h"
#include "report/text_finding.h"

#include <string.h>

/* The page is for reading; who wants all ten thousand takes the JSON report. */
enum { MOST_FINDINGS = 60, MOST_EVIDENCE = 16 };

enum chapter { CHAPTER_PROBLEMS, CHAPTER_FINDINGS, CHAPTER_CURED, CHAPTER_COUNT };

static enum chapter chapter_of(const struct shown_finding *shown)
{
    return shown->is_cured ? CHAPTER_CURED : shown->is_problem ? CHAPTER_PROBLEMS : CHAPTER_FINDINGS;
}

static const char *heading_of(const struct outcome *outcome, enum chapter chapter)
{
    switch (chapter) {
    case CHAPTER_CURED:
        return outcome->wrote ? "Findings that the repair has cured" : "Findings that the repair would cure";
    case CHAPTER_PROBLEMS:
        return outcome->status == STATUS_REFUSED ? "Why it was not repaired" : "What went wrong";
    default:
        return outcome->status == STATUS_FIXED ? "Findings that remain" : "Findings";
    }
}

static const char *title_of(enum finding_code code)
{
    const struct rule *rule = rule_find((unsigned)code);
    const struct own_code *own = rule ? NULL : own_code_find((unsigned)code);
    return rule ? rule->title : own ? own->title : NULL;
}

void html_badge(struct text *text, const char *class_name, const char *words)
{
    text_printf(text, "<span class=\"badge %s\">", class_name);
    html_add(text, words);
    text_addz(text, "</span> ");
}

static void add_level(struct text *text, const struct shown_finding *shown)
{
    if (shown->is_cured)
        html_badge(text, "good", "cured");
    else if (shown->finding->waiver)
        html_badge(text, "waived", "waived");
    else
        html_badge(text, finding_level_name(shown->level), finding_level_name(shown->level));
    if (shown->finding->is_known)
        html_badge(text, "plain", "in the baseline");
}

static void add_place(struct text *text, const struct finding *finding)
{
    const char *comma = "";
    if (!finding->section && finding->rva == NO_RVA && finding->file_offset == NO_FILE_OFFSET)
        return;
    text_addz(text, "<p class=\"place\">");
    if (finding->section) {
        text_addz(text, "section ");
        html_element(text, "bdi", "name", finding->section);
        comma = ", ";
    }
    if (finding->rva != NO_RVA) {
        text_addz(text, comma);
        text_addz(text, "RVA ");
        html_hex(text, finding->rva);
        comma = ", ";
    }
    if (finding->file_offset != NO_FILE_OFFSET) {
        text_addz(text, comma);
        text_addz(text, "file offset ");
        html_hex(text, finding->file_offset);
    }
    if (finding->place_count > 1) {
        text_addz(text, ", the first of ");
        html_count(text, finding->place_count, "place", "places");
    }
    text_addz(text, "</p>\n");
}

static void add_evidence(struct text *text, const struct finding *finding)
{
    if (finding->evidence_count == 0)
        return;
    text_addz(text, "<ul class=\"evidence\">\n");
    for (size_t i = 0; i < finding->evidence_count && i < MOST_EVIDENCE; i++) {
        html_element(text, "li", NULL, finding->evidence[i]);
        text_addz(text, "\n");
    }
    if (finding->evidence_count > MOST_EVIDENCE)
        text_printf(text, "<li>and %zu more</li>\n", finding->evidence_count - MOST_EVIDENCE);
    text_addz(text, "</ul>\n");
}

static void add_waiver(struct text *text, const struct finding_waiver *waiver)
{
    if (!waiver)
        return;
    text_addz(text, "<div class=\"waiver\"><p><b>Waived until ");
    html_add(text, waiver->expires);
    text_addz(text, waiver->ends_soon ? ", which is soon</b> by " : "</b> by ");
    html_element(text, "bdi", NULL, waiver->owner);
    text_addz(text, ", as “");
    html_element(text, "bdi", NULL, waiver->name);
    text_addz(text, "”</p>");
    html_element(text, "p", NULL, waiver->reason);
    text_addz(text, "</div>\n");
}

static void add_advice(struct text *text, const struct finding *finding)
{
    if (!finding->windows && !finding->cure)
        return;
    text_addz(text, "<dl class=\"advice\">");
    if (finding->windows)
        text_addz(text, "<dt>Windows</dt>");
    html_element(text, "dd", NULL, finding->windows);
    if (finding->cure)
        text_addz(text, "<dt>Cure</dt>");
    html_element(text, "dd", NULL, finding->cure);
    text_addz(text, "</dl>\n");
}

static bool same_group(const struct shown_finding *a, const struct shown_finding *b)
{
    return a->level == b->level && !a->finding->waiver == !b->finding->waiver &&
           a->finding->is_known == b->finding->is_known && text_finding_same_advice(a->finding, b->finding);
}

static void open_group(struct text *text, const struct shown_finding *shown)
{
    const char *class_name = shown->is_cured          ? "good"
                             : shown->finding->waiver ? "waived"
                                                      : finding_level_name(shown->level);
    text_printf(text, "<article class=\"finding %s\"><h4>", class_name);
    add_level(text, shown);
    text_printf(text, "<code>HVCI%04u</code> ", (unsigned)shown->finding->code);
    html_element(text, "span", NULL, title_of(shown->finding->code));
    text_addz(text, "</h4>\n");
}

static void close_group(struct text *text, const struct outcome *outcome, const struct shown_finding *shown)
{
    /* A refusal to repair a finding repeats that finding's cure, which stands under the finding. */
    if (shown->finding->code != HVCI9022_NO_REPAIR || outcome->findings.count == 0)
        add_advice(text, shown->finding);
    text_addz(text, "</article>\n");
}

static void add_chapter(struct text *text, const struct outcome *outcome, enum chapter chapter)
{
    struct shown_cursor cursor = {0};
    struct shown_finding shown, last = {0};
    size_t count = 0;
    while (shown_next(outcome, &cursor, &shown)) {
        if (chapter_of(&shown) != chapter || ++count > MOST_FINDINGS)
            continue;
        if (count == 1)
            text_printf(text, "<h3>%s</h3>\n", heading_of(outcome, chapter));
        if (last.finding && !same_group(&last, &shown)) {
            close_group(text, outcome, &last);
            last.finding = NULL;
        }
        if (!last.finding)
            open_group(text, &shown);
        html_element(text, "p", "message", shown.finding->message);
        add_place(text, shown.finding);
        add_evidence(text, shown.finding);
        add_waiver(text, shown.finding->waiver);
        last = shown;
    }
    if (last.finding)
        close_group(text, outcome, &last);
    if (count > MOST_FINDINGS)
        text_printf(text, "<p>And %zu more, which the JSON report lists.</p>\n", count - MOST_FINDINGS);
}

void html_findings(struct text *text, const struct outcome *outcome)
{
    add_chapter(text, outcome, CHAPTER_PROBLEMS);
    add_chapter(text, outcome, CHAPTER_FINDINGS);
}

void html_cured(struct text *text, const struct outcome *outcome)
{
    add_chapter(text, outcome, CHAPTER_CURED);
}
