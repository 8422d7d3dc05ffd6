/* text_finding.c - one finding as text.
 * Takes: a finding.  Gives: lines.  Must not: decide what is shown. */
#include "report/text_finding.h"

#include "report/layout.h"
#include "report/safe_text.h"

#include <inttypes.h>
#include <string.h>

void text_finding_line(struct text *text, const char *path, const struct finding *finding,
                       enum finding_level level, const char *lead, const struct report_style *style)
{
    size_t line_start = text->nbytes;
    safe_add_path(text, path);
    text_addz(text, " : ");
    layout_paint(text, style, layout_level_paint(level), finding_level_name(level));
    text_printf(text, " HVCI%04u: %s", (unsigned)finding->code, lead);
    if (finding->waiver)
        text_printf(text, "waived until %s: ", finding->waiver->expires);
    if (finding->is_known)
        text_addz(text, "known: ");
    safe_add(text, finding->message);
    if (level == LEVEL_ERROR || level == LEVEL_WARNING)
        text_addz(text, "\n");
    else
        safe_end_line(text, line_start);
}

void text_finding_waiver(struct text *text, const struct finding *finding)
{
    const struct finding_waiver *waiver = finding->waiver;
    if (waiver)
        layout_labelled(text, "waiver",
                        arena_printf(text->arena, "\"%s\" of %s, %s %s: %s", waiver->name, waiver->owner,
                                     waiver->ends_soon ? "which ends soon, on" : "until", waiver->expires,
                                     waiver->reason));
}

void text_finding_facts(struct text *text, const struct finding *finding)
{
    struct text place = {.arena = text->arena};
    const char *comma = "";
    if (finding->section) {
        text_printf(&place, "section %s", finding->section);
        comma = ", ";
    }
    if (finding->rva != NO_RVA) {
        text_printf(&place, "%sRVA 0x%X", comma, (unsigned)finding->rva);
        comma = ", ";
    }
    if (finding->file_offset != NO_FILE_OFFSET) {
        text_printf(&place, "%sfile offset 0x%" PRIX64, comma, finding->file_offset);
        comma = ", ";
    }
    if (finding->place_count > 1)
        text_printf(&place, "%sthe first of %" PRIu64 " places", comma, finding->place_count);
    layout_labelled(text, "place", place.chars);
    for (size_t i = 0; i < finding->evidence_count; i++)
        layout_labelled(text, i == 0 ? "evidence" : "", finding->evidence[i]);
}

void text_finding_advice(struct text *text, const struct finding *finding)
{
    layout_labelled(text, "windows", finding->windows);
    layout_labelled(text, "cure", finding->cure);
}

static bool same_words(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_finding_same_advice(const struct finding *a, const struct finding *b)
{
    return a->code == b->code && same_words(a->windows, b->windows) && same_words(a->cure, b->cure);
}
