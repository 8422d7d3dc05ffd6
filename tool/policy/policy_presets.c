/* policy_presets.c - the presets, and the commented file that `policy init` writes.
 * Takes: a name.  Gives: texts in the form of a policy file.  Must not: set values; policy.c reads these
 * texts like any other. */
#include "policy/policy_parts.h"

#include "base/text.h"
#include "rules/rule.h"

struct preset {
    const char *name, *about, *text;
};

/* What Microsoft's documents ask of every driver, or BinSkim, which its driver security checklist names: NX
 * by default (driver compatibility with Device Guard), a right checksum (PE format specification), BA2009,
 * BA2019. Windows refuses a stale signature; all else warns. */
#define ASKED_OF_ALL                                                                                         \
    "[require]\n"                                                                                            \
    "nx-compat = yes\n"                                                                                      \
    "dynamic-base = yes\n"                                                                                   \
    "checksum = right\n"                                                                                     \
    "stale-signature = no\n"                                                                                 \
    "shared-writable = no\n"                                                                                 \
    "versions-fit-target = yes\n"                                                                            \
    "[rules]\n"                                                                                              \
    "HVCI2201 = warning\n"                                                                                   \
    "HVCI2202 = warning\n"                                                                                   \
    "HVCI2207 = warning\n"                                                                                   \
    "HVCI2211 = warning\n"                                                                                   \
    "HVCI2213 = warning\n"

static const struct preset presets[] = {
    {"windows-11", "drivers for Windows 11 only",
     "[policy]\n"
     "target = 11\n"
     "mode = fix\n" ASKED_OF_ALL "[require]\n"
     "high-entropy-va = yes\n"
     "guard-cf = yes\n"
     "[rules]\n"
     "HVCI2203 = warning\n"
     "HVCI2204 = warning\n"},
    {"windows-10-1507",
     "drivers that every Windows 10 loads, also the first, where relocations must not straddle pages",
     "[policy]\n"
     "target = 1507\n"
     "mode = fix\n"
     "[rules]\n"
     "HVCI2101 = error\n" ASKED_OF_ALL},
    {"whcp",
     "what the hardware certification of Windows asks for; nothing is repaired behind the linker's back",
     "[policy]\n"
     "target = 1703\n"
     "mode = reject\n"
     "[rules]\n"
     "HVCI2102 = warning\n" ASKED_OF_ALL "[require]\n"
     "high-entropy-va = yes\n"
     "guard-cf = yes\n"
     "rwx-init-linker = no\n"
     "[rules]\n"
     "HVCI2203 = warning\n"
     "HVCI2204 = warning\n"
     "HVCI2214 = warning\n"},
    {"audit", "look, but stop no build",
     "[policy]\n"
     "mode = audit\n"
     "[rules]\n"
     "HVCI2201 = note\n"
     "HVCI2202 = note\n"
     "HVCI2203 = note\n"
     "HVCI2204 = note\n"
     "HVCI2205 = note\n"
     "HVCI2207 = note\n"
     "HVCI2209 = note\n"
     "HVCI2211 = note\n"
     "HVCI2213 = note\n"
     "HVCI2214 = note\n"},
};
enum { PRESET_COUNT = sizeof presets / sizeof presets[0] };

const char *const policy_preset_names[PRESET_COUNT + 1] = {"windows-11", "windows-10-1507", "whcp", "audit",
                                                           NULL};

const char *policy_preset_text(const char *name)
{
    for (size_t i = 0; i < PRESET_COUNT; i++)
        if (text_same_word(presets[i].name, name))
            return presets[i].text;
    return NULL;
}

const char *policy_preset_about(const char *name)
{
    size_t number = 0;
    while (number + 1 < PRESET_COUNT && !text_same_word(presets[number].name, name))
        number++;
    return presets[number].about;
}

/* Each line of `words` as a comment. */
static void add_comment(struct text *text, const char *words)
{
    while (*words) {
        size_t nbytes = strcspn(words, "\n");
        text_addz(text, "; ");
        text_add(text, words, nbytes);
        text_addz(text, "\n");
        words += nbytes + (words[nbytes] == '\n');
    }
}

/* One key with its comment; `value` NULL puts it behind a comment sign, with an example. */
static void add_key(struct text *text, const struct key_row *row, const char *value)
{
    add_comment(text, row->help);
    text_printf(text, "%s%s = %s\n", value ? "" : ";", row->name, value ? value : row->example);
}

static void add_rules(struct text *text, const struct key_row *row)
{
    for (size_t i = 0; i < rules_count; i++) {
        bool is_by_fix = row->key == KEY_RULE_REPAIR && rule_is_repaired_on_request(rules_all[i]);
        text_printf(text, ";HVCI%04u = %-12s ; %s\n", (unsigned)rules_all[i]->code,
                    is_by_fix ? "fix" : row->example, rules_all[i]->title);
    }
}

const char *policy_init_text(const char *preset, struct arena *arena)
{
    struct text text = {.arena = arena};
    add_comment(
        &text,
        "A policy of hvcifix. What stands behind ; or # is a comment; keys behind ; show what may be set.\n"
        "\"hvcifix policy check FILE\" judges this file, \"hvcifix rules --policy FILE\" prints what holds.\n"
        "Presets:");
    for (size_t i = 0; i < PRESET_COUNT; i++)
        text_printf(&text, ";   %-16s %s\n", presets[i].name, presets[i].about);
    for (size_t section = 0; section < SECTION_COUNT; section++) {
        bool is_waiver = section == SECTION_WAIVER;
        text_addz(&text, "\n");
        if (policy_section_about[section])
            add_comment(&text, policy_section_about[section]);
        text_printf(&text, is_waiver ? ";[%s \"legacy scanner\"]\n" : "[%s]\n",
                    policy_section_names[section]);
        for (size_t i = 0; i < policy_key_count; i++) {
            const struct key_row *row = &policy_keys[i];
            if (row->section != (enum policy_section)section)
                continue;
            if (row->name) {
                add_key(&text, row, row->key == KEY_PRESET ? preset : NULL);
                continue;
            }
            add_comment(&text, row->help);
            add_rules(&text, row);
        }
    }
    return arena->exhausted ? NULL : text.chars;
}
