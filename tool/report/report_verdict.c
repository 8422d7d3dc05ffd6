/* report_verdict.c - `verify OLD NEW` as text and JSON.
 * Takes: the verifier's verdict.  Gives: text.  Must not: decide anything. */
#include "report/json_parts.h"
#include "report/layout.h"
#include "report/report.h"
#include "report/safe_text.h"
#include "report/text_changes.h"
#include "report/text_finding.h"

#include <inttypes.h>

/* "section INIT Characteristics at file offset 0x1F4: 0xE2000020 -> 0x62000020" */
static void add_difference(struct text *text, const struct verify_difference *difference)
{
    int digits = (int)(difference->width_nbytes > 8 ? 16 : 2 * difference->width_nbytes);
    layout_labelled(text, "differs",
                    arena_printf(text->arena,
                                 "%s at file offset 0x%" PRIX64 ": 0x%0*" PRIX64 " -> 0x%0*" PRIX64,
                                 difference->field, difference->file_offset, digits, difference->old_value,
                                 digits, difference->new_value));
    layout_labelled(text, difference->assumed ? "  assumed" : "  proved", difference->why_allowed);
}

/* The verdict as the finding that it is. An unreadable file is named itself; a refutation is about NEW. */
static void add_refutation(struct text *text, const char *old_path, const char *new_path,
                           const struct verify_verdict *verdict, const struct report_style *style)
{
    bool is_unreadable = verdict->result == VERIFY_UNREADABLE;
    const char *reason = verdict->reason ? verdict->reason : "No reason was given.";
    struct finding finding =
        is_unreadable ? finding_make(text->arena, HVCI9032_PAIR_UNREADABLE, LEVEL_ERROR,
                                     "cannot be verified: %s", reason)
                      : finding_make(text->arena, HVCI9031_NOT_EQUIVALENT, LEVEL_ERROR,
                                     verdict->right_not_shown ? "not shown to be equivalent to %s: %s"
                                                              : "not equivalent to %s: %s",
                                     old_path, reason);
    finding.rva = verdict->rva;
    finding.file_offset = verdict->file_offset;
    text_finding_line(text, is_unreadable && verdict->in_old ? old_path : new_path, &finding, LEVEL_ERROR, "",
                      style);
    if (style->quiet)
        return;
    if (!is_unreadable)
        layout_labelled(text, "seen in", verdict->in_old ? "the old file" : "the new file");
    text_finding_facts(text, &finding);
}

static const char *verdict_result(enum verify_result result)
{
    switch (result) {
    case VERIFY_PROVED:
        return "proved";
    case VERIFY_PROVED_WITH_ASSUMPTIONS:
        return "proved, resting on assumptions";
    case VERIFY_IDENTICAL:
        return "identical";
    case VERIFY_REFUTED:
        return "refuted";
    case VERIFY_UNREADABLE:
        break;
    }
    return "not verified";
}

void report_text_verdict(struct text *text, const char *old_path, const char *new_path,
                         const struct verify_verdict *verdict, const struct report_style *style)
{
    bool is_bad = verdict->result == VERIFY_REFUTED || verdict->result == VERIFY_UNREADABLE;
    if (is_bad)
        add_refutation(text, old_path, new_path, verdict, style);
    if (style->quiet)
        return;
    size_t line_start = text->nbytes;
    safe_add_path(text, new_path);
    text_addz(text, ": ");
    layout_paint(text, style, is_bad ? PAINT_BAD : PAINT_GOOD,
                 is_bad && verdict->right_not_shown ? "not shown" : verdict_result(verdict->result));
    if (verdict->difference_count != 0) {
        text_addz(text, ", ");
        layout_count(text, verdict->difference_count, "difference", "differences");
        text_addz(text, " explained");
    }
    safe_end_line(text, line_start);
    layout_labelled(text, "compared", arena_printf(text->arena, "with %s", old_path));
    for (size_t i = 0; i < verdict->difference_count; i++)
        add_difference(text, &verdict->differences[i]);
    if (verdict->still_broken)
        text_still_broken(text, verdict);
}

void report_json_verdict(struct text *text, const char *old_path, const char *new_path,
                         const struct verify_verdict *verdict)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    json_begin_root(&json, text);
    json_begin_object(&json, "verify");
    json_text(&json, "old", old_path);
    json_text(&json, "new", new_path);
    json_verdict(&json, verdict);
    json_end_object(&json);
    json_end_object(&json);
    text_addz(text, "\n");
    text_cut_if_exhausted(text, start_nbytes);
}
