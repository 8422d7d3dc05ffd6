/* report_rules.c - `rules` and `explain CODE`.
 * Takes: the table of rules, and of the tool's own codes.  Gives: text.  Must not: hold texts of rules. */
#include "report/layout.h"
#include "report/own_codes.h"
#include "report/report.h"
#include "report/safe_text.h"

enum { LEVEL_COLUMN = 10, REPAIR_COLUMN = 40, PROSE_INDENT = 4 };

void report_text_rules(struct text *text, const struct report_style *style)
{
    (void)style;
    size_t line_start = text->nbytes;
    text_addz(text, "code");
    text_pad_to_column(text, line_start, LEVEL_COLUMN);
    text_addz(text, "default level");
    text_pad_to_column(text, line_start, REPAIR_COLUMN);
    text_addz(text, "rule\n");
    for (size_t i = 0; i < rules_count; i++) {
        const struct rule *rule = rules_all[i];
        line_start = text->nbytes;
        text_printf(text, "HVCI%04u", (unsigned)rule->code);
        text_pad_to_column(text, line_start, LEVEL_COLUMN);
        text_addz(text, rule->default_level);
        text_pad_to_column(text, line_start, REPAIR_COLUMN);
        layout_wrap(text, line_start, REPAIR_COLUMN, rule->title);
    }
    text_addz(text, "\nthe tool's own codes\n");
    for (size_t i = 0; i < own_code_count; i++) {
        line_start = text->nbytes;
        text_printf(text, "HVCI%04u", (unsigned)own_codes[i].code);
        text_pad_to_column(text, line_start, LEVEL_COLUMN);
        layout_wrap(text, line_start, LEVEL_COLUMN, own_codes[i].title);
    }
    text_addz(text, "\n\"hvcifix explain CODE\" says what a code means and how to cure it.\n");
}

static void add_part(struct text *text, const char *heading, const char *prose)
{
    text_printf(text, "\n%s\n", heading);
    layout_prose(text, PROSE_INDENT, prose);
}

static void explain_rule(struct text *text, const struct rule *rule)
{
    text_printf(text, "HVCI%04u %s, %s\ndefault level %s\n", (unsigned)rule->code, rule->name, rule->title,
                rule->default_level);
    add_part(text, "What it means", rule->text.what);
    add_part(text, "What Windows does", rule->text.windows);
    if (rule->demand != DEMAND_NONE)
        layout_prose(text, PROSE_INDENT, RULE_POLICY_CHECKERS);
    add_part(text, "Cure at the source", rule->text.cure);
    add_part(text, "What hvcifix fix does", rule->text.repair);
}

bool report_text_explain(struct text *text, unsigned code, const struct report_style *style)
{
    (void)style;
    const struct rule *rule = rule_find(code);
    const struct own_code *own = own_code_find(code);
    if (rule) {
        explain_rule(text, rule);
    } else if (own) {
        text_printf(text, "HVCI%04u, %s\n", code, own->title);
        add_part(text, "What it means", own->what);
        add_part(text, "What to do", own->cure);
    }
    return rule || own;
}
