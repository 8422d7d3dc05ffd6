/* help.c - the topics of `help`, and the words that tables only name.
 * Takes: names.  Gives: topics and words.  Must not: hold what other tables hold. */
#include "cli/help.h"

#include "cli/options.h"
#include "policy/policy.h"
#include "report/own_codes.h"
#include "rules/rule.h"

static void write_policy_manual(struct text *text)
{
    policy_manual(text);
}

const struct help_topic help_topics[] = {
    {"manual", "the manual page hvcifix.1", help_manual},
    {"policy-manual", "the manual page hvcifix-policy.5", write_policy_manual},
    {"bash", "completion for bash", help_completion_bash},
    {"powershell", "completion for PowerShell", help_completion_powershell},
};
const size_t help_topic_count = sizeof help_topics / sizeof help_topics[0];

const struct help_topic *help_topic_find(const char *name)
{
    for (size_t i = 0; i < help_topic_count; i++)
        if (strcmp(help_topics[i].name, name) == 0)
            return &help_topics[i];
    return NULL;
}

static void add_codes(struct text *text, bool with_own)
{
    for (size_t i = 0; i < rules_count; i++)
        text_printf(text, " HVCI%04u", (unsigned)rules_all[i]->code);
    for (size_t i = 0; with_own && i < own_code_count; i++)
        text_printf(text, " HVCI%04u", (unsigned)own_codes[i].code);
}

bool help_words(struct text *text, const char *values)
{
    if (!values)
        return false;
    if (strcmp(values, OPTION_TARGETS) == 0) {
        text_printf(text, " %s", target_words());
    } else if (strcmp(values, OPTION_PRESETS) == 0) {
        for (const char *const *name = policy_preset_names; *name; name++)
            text_printf(text, " %s", *name);
    } else if (strcmp(values, OPTION_RULES) == 0 || strcmp(values, OPTION_CODES) == 0) {
        add_codes(text, strcmp(values, OPTION_CODES) == 0);
    } else if (strcmp(values, OPTION_TOPICS) == 0) {
        for (size_t i = 0; i < VERB_COUNT; i++)
            text_printf(text, " %s", verb_rows[i].name);
        for (size_t i = 0; i < help_topic_count; i++)
            text_printf(text, " %s", help_topics[i].name);
    } else if (*values) {
        text_printf(text, " %s", values);
    }
    return true;
}
