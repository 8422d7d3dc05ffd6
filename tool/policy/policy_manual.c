/* policy_manual.c - the manual page hvcifix-policy.5.
 * Takes: the tables of sections, keys, presets and rules.  Gives: roff.  Must not: hold a list of its own. */
#include "policy/policy_parts.h"

#include "base/roff.h"
#include "rules/rule.h"
#include "version.h"

static void add_rules(struct text *text)
{
    for (size_t i = 0; i < rules_count; i++) {
        text_printf(text, ".TP\n.B HVCI%04u\n", (unsigned)rules_all[i]->code);
        roff_prose(text, rules_all[i]->title);
    }
}

static void add_key(struct text *text, const struct key_row *row)
{
    text_addz(text, ".TP\n");
    text_addz(text, "\\fB");
    roff_add(text, row->name ? row->name : "HVCInnnn");
    text_addz(text, "\\fR = ");
    roff_add(text, row->values);
    text_addz(text, "\n");
    roff_prose(text, row->help);
    text_addz(text, ".br\nExample:\n");
    roff_prose(text, row->example);
}

static void add_section(struct text *text, enum policy_section section)
{
    text_addz(text, ".SS \"[");
    roff_add(text, policy_section_names[section]);
    text_addz(text, section == SECTION_WAIVER ? " \\(dqNAME\\(dq]\"\n" : "]\"\n");
    if (policy_section_about[section])
        roff_prose(text, policy_section_about[section]);
    for (size_t i = 0; i < policy_key_count; i++)
        if (policy_keys[i].section == section)
            add_key(text, &policy_keys[i]);
}

void policy_manual(struct text *text)
{
    text_addz(text,
              ".\\\" Made by \"hvcifix help policy-manual\" from the tables that the program itself uses.\n"
              ".TH HVCIFIX\\-POLICY 5 " HVCIFIX_RELEASED " \"hvcifix " HVCIFIX_VERSION "\" \"File Formats\"\n"
              ".nh\n"
              ".SH NAME\n"
              "hvcifix\\-policy \\- what an organisation demands of its driver images\n"
              ".SH DESCRIPTION\n");
    roff_prose(
        text,
        "A policy is a text in UTF-8: sections in brackets, lines \"key = value\", and comments behind ; or "
        "#. Case does not matter in the names of sections and keys. A line has at most 197 bytes.");
    text_addz(text, ".PP\n");
    roff_prose(text, "A policy is put together from layers: what is built in, then a preset, then the "
                     "included files in their "
                     "order, then the file itself. A later layer overrides single values of an earlier one; "
                     "waivers add up. "
                     "\"hvcifix rules --policy FILE\" prints what holds and which line says so.");
    text_addz(text, ".PP\n");
    roff_prose(
        text,
        "A line that is not understood, a key that stands twice, or an included file that cannot be read "
        "makes the whole policy unusable: nothing is judged by it, and the exit code is 2. \"hvcifix policy "
        "check FILE\" says what is wrong, with line and column.");
    text_addz(text, ".SH SECTIONS\n");
    for (size_t section = 0; section < SECTION_COUNT; section++)
        add_section(text, (enum policy_section)section);
    text_addz(text, ".SH RULES\n");
    add_rules(text);
    text_addz(text, ".SH PRESETS\n");
    for (const char *const *name = policy_preset_names; *name; name++) {
        text_addz(text, ".TP\n\\fB");
        roff_add(text, *name);
        text_addz(text, "\\fR\n");
        roff_prose(text, policy_preset_about(*name));
    }
    text_addz(text, ".SH EXAMPLES\n.EX\n");
    roff_lines(text, "[policy]\n"
                     "name = Contoso drivers\n"
                     "preset = windows-11\n"
                     "\n"
                     "[rules]\n"
                     "HVCI2102 = error\n"
                     "\n"
                     "[waiver \"legacy scanner\"]\n"
                     "image = legacy*.sys\n"
                     "code = HVCI2003\n"
                     "reason = The vendor will deliver a new driver in March.\n"
                     "owner = driver-team@example.com\n"
                     "expires = 2027-03-31");
    text_addz(text, ".EE\n.SH SEE ALSO\n.BR hvcifix (1)\n");
}
