/* html_changes.c - what a repair changes, with its proof, and what moves where.
 * Takes: plan and verdict.  Gives: elements.  Must not: judge. */
#include "report/html_parts.h"
#include "report/html_picture.h"
#include "report/html_text.h"
#include "report/text_changes.h"

#include "report/digits.h"

#include <string.h>

enum { MOST_PIECES = 100, MOST_DIFFERENCES = 60, MOST_CHANGES = 100 };

static void add_value(struct text *text, uint64_t value, uint32_t width_nbytes)
{
    text_addz(text, "<code>0x");
    digits_hex(text, value, width_nbytes > 8 ? 16 : 2 * width_nbytes);
    text_addz(text, "</code>");
}

static void add_assurance(struct text *text, bool is_proved, const char *words)
{
    text_addz(text, "<p class=\"proof\">");
    html_badge(text, is_proved ? "good" : "warning", is_proved ? "proved" : "assumed");
    if (words)
        html_add(text, words);
    text_addz(text, "</p>\n");
}

/* Is it a reason of the layout that no change before has given? */
static bool is_new_reason(const struct plan *plan, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (plan->changes[i].kind == CHANGE_LAYOUT &&
            strcmp(plan->changes[i].why, plan->changes[index].why) == 0)
            return false;
    return plan->changes[index].kind == CHANGE_LAYOUT;
}

/* One layout serves all rules that ask for it: it is told once, with all their reasons. */
static void add_layout(struct text *text, const struct outcome *outcome, const struct change *first)
{
    const struct plan *plan = &outcome->plan;
    text_addz(text, "<article class=\"change\"><h4>");
    html_count(text, plan->layout ? plan->layout->piece_count - 1 : 0, "piece", "pieces");
    text_addz(text, " and ");
    html_count(text, plan->layout ? plan->layout->section_count : 0, "section", "sections");
    text_addz(text, " laid out anew");
    for (size_t i = 0; i < plan->change_count; i++)
        if (plan->changes[i].kind == CHANGE_LAYOUT)
            text_printf(text, " <code>HVCI%04u</code>", (unsigned)plan->changes[i].rule);
    text_addz(text, "</h4>\n");
    for (size_t i = 0; i < plan->change_count; i++)
        if (is_new_reason(plan, i))
            html_element(text, "p", NULL, plan->changes[i].why);
    add_assurance(text, first->assurance == ASSURANCE_PROVED, first->proof);
    text_addz(text, "</article>\n");
}

/* "Characteristics of section INIT at file offset 0x1F4" */
static void add_field(struct text *text, const struct outcome *outcome, const struct change *change)
{
    text_addz(text, "<article class=\"change\"><h4>");
    html_add(text, change->field ? change->field : "Field");
    if (change->section) {
        text_addz(text, " of section ");
        html_element(text, "bdi", "name", change->section);
    }
    if (change->rule != 0)
        text_printf(text, " <code>HVCI%04u</code>", (unsigned)change->rule);
    text_addz(text, "</h4>\n<p class=\"place\">At file offset ");
    html_hex(text, change->file_offset);
    text_addz(text, ": ");
    uint64_t new_value;
    if (change->kind == CHANGE_DROP_SIGNATURE) {
        html_count(text, change->width_nbytes, "byte", "bytes");
        text_addz(text, " cut off");
    } else if (change->kind == CHANGE_NX) {
        text_addz(text, "led through a stub");
    } else {
        add_value(text, change->old_value, change->width_nbytes);
        text_addz(text, " → ");
        if (change_new_value(outcome, change, &new_value))
            add_value(text, new_value, change->width_nbytes);
        else
            text_addz(text, "computed when written");
    }
    text_addz(text, "</p>\n");
    html_element(text, "p", NULL, change->why);
    add_assurance(text, change->assurance == ASSURANCE_PROVED, change->proof);
    text_addz(text, "</article>\n");
}

static void add_changes(struct text *text, const struct outcome *outcome)
{
    const struct plan *plan = &outcome->plan;
    bool has_layout = false;
    text_addz(text, outcome->wrote ? "<h3>Changes</h3>\n" : "<h3>Changes that a repair would make</h3>\n");
    for (size_t i = 0; i < plan->change_count && i < MOST_CHANGES; i++) {
        const struct change *change = &plan->changes[i];
        if (change->kind != CHANGE_LAYOUT)
            add_field(text, outcome, change);
        else if (!has_layout)
            add_layout(text, outcome, change);
        has_layout = has_layout || change->kind == CHANGE_LAYOUT;
    }
    if (plan->change_count > MOST_CHANGES)
        text_printf(text, "<p>And %zu more, which the JSON report lists.</p>\n",
                    plan->change_count - MOST_CHANGES);
}

static void add_piece(struct text *text, const struct outcome *outcome, const struct piece *piece,
                      unsigned number)
{
    const struct new_section *section =
        piece->kind == PIECE_HEADERS ? NULL : layout_section_at(outcome->plan.layout, piece->new_rva);
    text_addz(text, "<tr><td>");
    if (number != 0)
        text_printf(text, "<span class=\"number\">%u</span>", number);
    text_addz(text, "</td><td>");
    if (piece->section != NO_SECTION)
        html_element(text, "bdi", "name", outcome->image.sections[piece->section].name);
    if (piece->kind != PIECE_SECTION)
        text_printf(text, "%s%s", piece->section != NO_SECTION ? ": " : "",
                    piece_kind_name((enum piece_kind)piece->kind));
    text_addz(text, "</td><td class=\"rva\">");
    html_range(text, piece->old_rva, piece->nbytes);
    text_addz(text, "</td><td class=\"rva\">");
    html_range(text, piece->new_rva, piece->nbytes);
    text_addz(text, "</td><td>");
    html_element(text, "bdi", "name", section ? section->name : NULL);
    text_addz(text, "</td><td>");
    html_add(text, piece->why ? piece->why : "");
    text_addz(text, "</td></tr>\n");
}

/* What takes relocations off page boundaries. */
static void add_straddles(struct text *text, const struct straddle_repair *repair)
{
    if (!repair)
        return;
    text_addz(text, "<p>New code in section <span class=\"name\">" STRADDLE_CODE_SECTION "</span> at RVA ");
    html_hex(text, repair->code_rva);
    text_addz(text, ": ");
    html_count(text, repair->copy_count, "copied instruction", "copied instructions");
    for (unsigned i = 0; i < repair->stub_count; i++) {
        text_addz(text, ", a start-up stub in front of ");
        html_add(text, repair->stubs[i].what);
    }
    if (repair->stub_count != 0) {
        text_addz(text, "; it relocates ");
        html_count(text, repair->applied_count, "field", "fields");
        text_addz(text, ", once a load");
    }
    text_addz(text, ".</p>\n");
}

void html_moves(struct text *text, const struct outcome *outcome)
{
    const struct layout *layout = outcome->has_plan ? outcome->plan.layout : NULL;
    unsigned number = 0;
    if (outcome->status != STATUS_FIXED || !layout || !layout->moves)
        return;
    text_addz(text,
              "<h3>What moved where</h3>\n<div class=\"scroll\" role=\"group\" aria-label=\"What moved "
              "where\" tabindex=\"0\"><table class=\"moves\"><thead>"
              "<tr><th><abbr title=\"number in the picture\">No.</abbr></th><th>Piece</th><th>Old RVAs</th>"
              "<th>New RVAs</th><th>New section</th><th>Why</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < layout->piece_count && i < MOST_PIECES; i++) {
        bool has_number = html_piece_leaves(&layout->pieces[i]) && number < HTML_MOST_NUMBERED_PIECES;
        number += has_number;
        add_piece(text, outcome, &layout->pieces[i], has_number ? number : 0);
    }
    text_addz(text, "</tbody></table></div>\n");
    if (layout->piece_count > MOST_PIECES)
        text_printf(text, "<p>And %zu more pieces; --map writes them all.</p>\n",
                    layout->piece_count - MOST_PIECES);
    add_straddles(text, layout->straddles);
}

/* What was shown for all pieces at once is said once. */
static bool is_same_reason(const struct verify_difference *a, const struct verify_difference *b)
{
    return a->assumed == b->assumed && strcmp(a->why_allowed, b->why_allowed) == 0;
}

static void add_difference(struct text *text, const struct verify_difference *difference, bool is_as_above)
{
    text_addz(text, "<tr><td>");
    html_add(text, difference->field);
    text_addz(text, "</td><td class=\"rva\">");
    html_hex(text, difference->file_offset);
    text_addz(text, "</td><td class=\"rva\">");
    add_value(text, difference->old_value, difference->width_nbytes);
    text_addz(text, " → ");
    add_value(text, difference->new_value, difference->width_nbytes);
    text_addz(text, "</td><td>");
    html_badge(text, difference->assumed ? "warning" : "good", difference->assumed ? "assumed" : "proved");
    html_add(text, is_as_above ? "as above" : difference->why_allowed);
    text_addz(text, "</td></tr>\n");
}

static void add_verification(struct text *text, const struct verify_verdict *verdict)
{
    text_addz(text,
              "<h3>What the independent verifier says</h3>\n<p>It has compared both files byte by byte, and "
              "was told nothing by what repairs: ");
    html_add(text, text_verdict_words(verdict->result));
    text_addz(text, ".</p>\n");
    if (verdict->still_broken) {
        text_addz(text, "<p>The new image breaks the rule ");
        html_add(text, verdict->still_broken);
        text_addz(text, ", as the old one does: systems that hold to it do not load it.</p>\n");
    }
    if (verdict->difference_count == 0)
        return;
    text_addz(text, "<div class=\"scroll\" role=\"group\" aria-label=\"Differences\" tabindex=\"0\"><table "
                    "class=\"differences\"><thead><tr><th>Field</th>"
                    "<th>File offset</th><th>Old → new</th><th>Why it is allowed</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < verdict->difference_count && i < MOST_DIFFERENCES; i++)
        add_difference(text, &verdict->differences[i],
                       i != 0 && is_same_reason(&verdict->differences[i - 1], &verdict->differences[i]));
    text_addz(text, "</tbody></table></div>\n");
    if (verdict->difference_count > MOST_DIFFERENCES)
        text_printf(text, "<p>And %zu more, which the JSON report lists.</p>\n",
                    verdict->difference_count - MOST_DIFFERENCES);
}

void html_changes(struct text *text, const struct outcome *outcome)
{
    if (!outcome->has_plan || outcome->status != STATUS_FIXED)
        return;
    add_changes(text, outcome);
    if (outcome->has_verdict)
        add_verification(text, &outcome->verdict);
}
