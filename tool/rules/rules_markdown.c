/* rules_markdown.c - the page docs/RULES.md, made from the table of rules.
 * Takes: the table.  Gives: the whole page as text.  Must not: hold texts about single rules. */
#include "rules/rules_markdown.h"

#include "rules/calls_markdown.h"
#include "rules/rule.h"

static const char introduction[] =
    "# Rules\n"
    "\n"
    "This page is made from the table of rules in `tool/rules/`; `hvcifix explain CODE` prints the same "
    "texts.\n"
    "\n"
    "Codes from HVCI2000 to HVCI2005 follow the sub-codes of Driver Verifier's bug check 0xC4. Each rule "
    "answers pass,\n"
    "fail or not applicable, with a reason. The levels below hold for kernel images. Memory integrity judges "
    "kernel images\n"
    "only, so user-mode images and firmware get notes. It exists on 64-bit Windows for x64 and ARM64; for "
    "other machines the\n"
    "finding says so.\n"
    "\n"
    "HVCI2000 to HVCI2002 judge what the code asks Windows for, from the image alone (docs/CALLS.md). Driver "
    "Verifier exists on\n"
    "x86 too, so there they count as on x64; code for other machines is not decoded, and every report says "
    "that it was not judged.\n"
    "\n"
    "HVCI2300 to HVCI2303 judge in the same way whether the code changes or makes code.\n"
    "\n"
    "Rules from HVCI2201 to HVCI2214 are about how an image was built, not about memory integrity. They "
    "judge only "
    "what a policy\n"
    "demands in its section `[require]`, for example `signature = present` (`hvcifix policy init` lists the "
    "keys), or a level\n"
    "in `[rules]` asks for; `hvcifix check --all-rules` judges by all of them and reports what fails as "
    "notes, and its JSON\n"
    "has each answer with its reason. What they find is repaired only when it is asked for by name: "
    "`hvcifix fix --only CODE`,\n"
    "or `CODE = enforce` in `[fix]`.\n"
    "\n";

/* A paragraph, with each line of a list kept as it is and a blank line before the first item. */
static void add_paragraph(struct text *text, const char *chars)
{
    bool in_list = false;
    while (*chars) {
        const char *end = strchr(chars, '\n');
        size_t nbytes = end ? (size_t)(end - chars) : strlen(chars);
        bool is_item = chars[0] == '-';
        if (is_item != in_list)
            text_addz(text, "\n");
        in_list = is_item;
        text_add(text, chars, nbytes);
        text_addz(text, "\n");
        chars += nbytes + (end ? 1 : 0);
    }
    text_addz(text, "\n");
}

static void add_rule(struct text *text, const struct rule *rule)
{
    text_printf(text, "## HVCI%04u\n\n`%s`: %s. Default level: %s.\n\n", (unsigned)rule->code, rule->name,
                rule->title, rule->default_level);
    text_addz(text, "### What it demands\n\n");
    add_paragraph(text, rule->text.what);
    text_addz(text, "### What Windows does\n\n");
    add_paragraph(text, rule->text.windows);
    if (rule->demand != DEMAND_NONE)
        add_paragraph(text, RULE_POLICY_CHECKERS);
    text_addz(text, "### Cure at the source\n\n");
    add_paragraph(text, rule->text.cure);
    text_addz(text, "### What `hvcifix fix` does\n\n");
    add_paragraph(text, rule->text.repair);
}

void rules_markdown(struct text *text)
{
    text_addz(text, introduction);
    text_addz(text, "| code | name | meaning | default level |\n|---|---|---|---|\n");
    for (size_t i = 0; i < rules_count; i++)
        text_printf(text, "| [HVCI%04u](#hvci%04u) | %s | %s | %s |\n", (unsigned)rules_all[i]->code,
                    (unsigned)rules_all[i]->code, rules_all[i]->name, rules_all[i]->title,
                    rules_all[i]->default_level);
    text_addz(text, "\n");
    for (size_t i = 0; i < rules_count; i++)
        add_rule(text, rules_all[i]);
    calls_markdown(text);
}
