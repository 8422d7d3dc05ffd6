/* rules.c - the table of rules and the asking of them.
 * Takes: image, references, target.  Gives: one answer per rule, findings in rule order.
 * Must not: hold a rule itself. A new rule is one new file and one line here. */
#include "rules/rule_parts.h"

const struct rule *const rules_all[] = {
    &hvci2003_section_writable_executable,
    &hvci2004_section_not_page_aligned,
    &hvci2005_iat_executable,
    &hvci2006_loader_data_executable,
    &hvci2101_relocation_straddles,
    &hvci2102_init_writable_executable,
};
const size_t rules_count = sizeof rules_all / sizeof *rules_all;

uint32_t rules_sources(void)
{
    uint32_t sources = 0;
    for (size_t i = 0; i < rules_count; i++)
        sources |= rules_all[i]->needs;
    return sources;
}

bool rules_judge(const struct rule_input *input, struct rule_answer *answers)
{
    for (size_t i = 0; i < rules_count; i++) {
        answers[i] = (struct rule_answer){rules_all[i], RULE_NOT_APPLICABLE, ""};
        if (!rules_all[i]->judge(input, &answers[i]) || input->arena->exhausted)
            return false;
    }
    return true;
}

const struct rule *rule_find(unsigned code)
{
    for (size_t i = 0; i < rules_count; i++)
        if ((unsigned)rules_all[i]->code == code)
            return rules_all[i];
    return NULL;
}
