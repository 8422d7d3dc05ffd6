/* policy_presets.c - the presets, and the commented file that `policy init` writes.
 * Takes: a name.  Gives: texts in the form of a policy file.  Must not: set values; policy.c reads these
 * texts like any other. */
#include "policy/policy_parts.h"

#include "base/text.h"
#include "rules/rule.h"

struct preset {
    const char *name, *about, *text;
};

static const struct preset presets[] = {
    {"windows-11", "drivers for Windows 11 only",
     "[policy]\n"
     "target = 11\n"
     "mode = fix\n"},
    {"windows-10-1507",
     "drivers that every Windows 10 loads, also the first, where relocations must not straddle pages",
     "[policy]\n"
     "target = 1507\n"
     "mode = fix\n"
     "[rules]\n"
     "HVCI2101 = error\n"},
    {"whcp",
     "what the hardware certification of Windows asks for; nothing is repaired behind the linker's back",
     "[policy]\n"
     "target = 1703\n"
     "mode = reject\n"
     "[rules]\n"
     "HVCI2102 = warning\n"},
    {"audit", "look, but stop no build",
     "[policy]\n"
     "mode = audit\n"},
};
enum { PRESET_COUNT = sizeof presets / sizeof presets[0] };

const char *const policy_preset_names[PRESET_COUNT + 1] = {"windows-11", "windows-10-1507", "whcp", "audit",
                                                           NULL};

const char *policy_preset_text(const char *name)
{
    for (size_t i = 0; i < PRESET_COUNT; i++)
        if (policy_same_word(presets[i].name, name))
            return presets[i].text;
    return NULL;
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
    static const struct {
        enum policy_key key;
        const char *example;
    } examples[] = {
        {KEY_POLICY_NAME, "Contoso drivers"},
        {KEY_PRESET, "windows-11"},
        {KEY_INCLUDE, "../organisation.ini"},
        {KEY_TARGET, "1703"},
        {KEY_MODE, "fix"},
        {KEY_DROP_SIGNATURE, "no"},
        {KEY_EXPIRY_WARNING_DAYS, "30"},
        {KEY_WAIVER_IMAGE, "legacy*.sys"},
        {KEY_WAIVER_CODE, "HVCI2003"},
        {KEY_WAIVER_SECTION, "INIT"},
        {KEY_WAIVER_REASON, "The vendor will deliver a new driver in March."},
        {KEY_WAIVER_OWNER, "driver-team@example.com"},
        {KEY_WAIVER_EXPIRES, "2027-03-31"},
    };
    const char *example = "";
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        if (examples[i].key == row->key)
            example = examples[i].example;
    add_comment(text, row->help);
    text_printf(text, "%s%s = %s\n", value ? "" : ";", row->name, value ? value : example);
}

static void add_rules(struct text *text, enum policy_section section, const char *word)
{
    for (size_t i = 0; i < rules_count; i++)
        text_printf(text, ";HVCI%04u = %-12s ; %s\n", (unsigned)rules_all[i]->code, word,
                    rules_all[i]->title);
    (void)section;
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
        text_printf(&text, is_waiver ? "\n;[%s \"legacy scanner\"]\n" : "\n[%s]\n",
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
            add_rules(&text, row->section, row->key == KEY_RULE_LEVEL ? "default" : "enforce");
        }
    }
    return arena->exhausted ? NULL : text.chars;
}
