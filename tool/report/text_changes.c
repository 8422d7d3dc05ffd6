/* text_changes.c - changes of a plan and the verifier's verdict as text.
 * Takes: a plan, a verdict.  Gives: lines.  Must not: decide anything. */
#include "report/text_changes.h"

#include "report/layout.h"
#include "report/safe_text.h"
#include "report/text_layout.h"

#include <inttypes.h>
#include <string.h>

/* One layout serves all rules that ask for it: it is one change to whoever reads. */
static bool is_told_before(const struct plan *plan, size_t index)
{
    if (plan->changes[index].kind != CHANGE_LAYOUT)
        return false;
    for (size_t i = 0; i < index; i++)
        if (plan->changes[i].kind == CHANGE_LAYOUT)
            return true;
    return false;
}

void text_changes_count(struct text *text, const struct plan *plan)
{
    size_t count = 0, assumed_count = 0;
    for (size_t i = 0; i < plan->change_count; i++) {
        if (is_told_before(plan, i))
            continue;
        count++;
        assumed_count += plan->changes[i].assurance == ASSURANCE_ASSUMED;
    }
    text_addz(text, ", ");
    layout_count(text, count, "change", "changes");
    if (assumed_count == 0)
        text_addz(text, ", proved");
    else
        text_printf(text, ", %zu of them assumed", assumed_count);
}

bool change_new_value(const struct outcome *outcome, const struct change *change, uint64_t *value)
{
    *value = change->new_value;
    if (change->kind != CHANGE_CHECKSUM)
        return true;
    const struct output *output = &outcome->output;
    if (!output->bytes || !range_fits(output->nbytes, change->file_offset, change->width_nbytes))
        return false;
    *value = load_width(output->bytes + change->file_offset, change->width_nbytes);
    return true;
}

/* "8 pieces and 5 sections laid out anew (HVCI2004, HVCI2005)" */
static const char *describe_layout(struct arena *arena, const struct plan *plan)
{
    struct text words = {.arena = arena};
    text_printf(&words, "%zu pieces and %" PRIu32 " sections laid out anew",
                plan->layout ? plan->layout->piece_count - 1 : 0,
                plan->layout ? plan->layout->section_count : 0);
    const char *before = " (";
    for (size_t i = 0; i < plan->change_count; i++) {
        if (plan->changes[i].kind != CHANGE_LAYOUT)
            continue;
        text_printf(&words, "%sHVCI%04u", before, (unsigned)plan->changes[i].rule);
        before = ", ";
    }
    text_addz(&words, ")");
    return words.chars;
}

/* "section INIT Characteristics at file offset 0x1F4: 0xE2000020 -> 0x62000020 (HVCI2102)" */
static const char *describe_change(struct arena *arena, const struct outcome *outcome,
                                   const struct change *change)
{
    struct text words = {.arena = arena};
    if (change->kind == CHANGE_LAYOUT)
        return describe_layout(arena, &outcome->plan);
    int digits = (int)(change->width_nbytes > 8 ? 16 : 2 * change->width_nbytes);
    uint64_t new_value;
    if (change->section)
        text_printf(&words, "section %s ", change->section);
    text_printf(&words, "%s at file offset 0x%" PRIX64 ": ", change->field ? change->field : "field",
                change->file_offset);
    if (change->kind == CHANGE_NX)
        text_addz(&words, "led through a stub");
    else if (change->kind == CHANGE_DROP_SIGNATURE)
        text_printf(&words, "%" PRIu32 " bytes cut off", change->width_nbytes);
    else if (change_new_value(outcome, change, &new_value))
        text_printf(&words, "0x%0*" PRIX64 " -> 0x%0*" PRIX64, digits, change->old_value, digits, new_value);
    else
        text_printf(&words, "0x%0*" PRIX64 " -> computed when written", digits, change->old_value);
    if (change->rule != 0)
        text_printf(&words, " (HVCI%04u)", (unsigned)change->rule);
    return words.chars;
}

/* Each reason of the layout once. */
static void list_reasons(struct text *text, const struct plan *plan)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        bool is_new = plan->changes[i].kind == CHANGE_LAYOUT;
        for (size_t k = 0; is_new && k < i; k++)
            is_new = plan->changes[k].kind != CHANGE_LAYOUT ||
                     strcmp(plan->changes[k].why, plan->changes[i].why) != 0;
        if (is_new)
            layout_labelled(text, "  why", plan->changes[i].why);
    }
}

void text_changes_list(struct text *text, const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->plan.change_count; i++) {
        const struct change *change = &outcome->plan.changes[i];
        if (is_told_before(&outcome->plan, i))
            continue;
        layout_labelled(text, "change", describe_change(text->arena, outcome, change));
        if (change->kind == CHANGE_LAYOUT)
            list_reasons(text, &outcome->plan);
        else
            layout_labelled(text, "  why", change->why);
        layout_labelled(text, change->assurance == ASSURANCE_PROVED ? "  proved" : "  assumed",
                        change->proof);
    }
}

void text_still_broken(struct text *text, const struct verify_verdict *verdict)
{
    layout_labelled(
        text, "still",
        arena_printf(text->arena,
                     "the new image breaks the rule %s, as the old one does: systems that hold to "
                     "it do not load it",
                     verdict->still_broken));
}

const char *text_verdict_words(enum verify_result result)
{
    switch (result) {
    case VERIFY_PROVED:
        return "the new file differs from the old one only in these fields, and each is shown to be harmless";
    case VERIFY_PROVED_WITH_ASSUMPTIONS:
        return "the new file differs from the old one only in these fields; some rest on assumptions";
    case VERIFY_IDENTICAL:
        return "the new file is identical to the old one";
    case VERIFY_REFUTED:
        return "refuted";
    case VERIFY_UNREADABLE:
        break;
    }
    return "not possible";
}

void report_text_plan(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    (void)style;
    if (!outcome->has_plan)
        return;
    const struct plan *plan = &outcome->plan;
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    switch (plan->verdict) {
    case PLAN_NO_CHANGE:
        text_addz(text, ": the plan is to change nothing");
        break;
    case PLAN_CHANGE:
        text_addz(text, ": the plan");
        text_changes_count(text, plan);
        break;
    case PLAN_REFUSED:
        text_addz(text, ": no plan");
        break;
    }
    safe_end_line(text, line_start);
    if (plan->layout)
        text_layout_table(text, &outcome->image, plan);
    text_changes_list(text, outcome);
}
