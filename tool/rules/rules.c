/* rules.c - the table of rules and the asking of them.
 * Takes: image, references, target.  Gives: one answer per rule, findings in rule order.
 * Must not: hold a rule itself. A new rule is one new file and one line here. */
#include "rules/rule_parts.h"

const struct rule *const rules_all[] = {
    &hvci2000_executable_pool,
    &hvci2001_executable_protection,
    &hvci2002_executable_mdl,
    &hvci2003_section_writable_executable,
    &hvci2004_section_not_page_aligned,
    &hvci2005_iat_executable,
    &hvci2006_loader_data_executable,
    &hvci2101_relocation_straddles,
    &hvci2102_init_writable_executable,
    &hvci2201_nx_compat,
    &hvci2202_dynamic_base,
    &hvci2203_high_entropy_va,
    &hvci2204_guard_cf,
    &hvci2205_cet_compat,
    &hvci2206_force_integrity,
    &hvci2207_checksum,
    &hvci2208_signature,
    &hvci2209_signature_stale,
    &hvci2210_init_not_discardable,
    &hvci2211_shared_writable,
    &hvci2212_loader_data_writable,
    &hvci2213_version_above_target,
    &hvci2214_linker_makes_rwx_init,
    &hvci2300_clears_write_protect,
    &hvci2301_code_mapped_writable,
    &hvci2302_file_as_code,
    &hvci2303_executes_allocation,
};
const size_t rules_count = sizeof rules_all / sizeof *rules_all;

uint32_t rules_sources(void)
{
    uint32_t sources = rules_deciding_sources();
    for (size_t i = 0; i < rules_count; i++)
        sources |= rules_all[i]->cites;
    return sources;
}

uint32_t rules_deciding_sources(void)
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
        if (rules_all[i]->demand != DEMAND_NONE && !demand_is_asked(input->demands, rules_all[i]->demand)) {
            answers[i].verdict = RULE_NOT_ASKED;
            answers[i].reason = "No policy asks for it.";
            continue;
        }
        if (!rules_all[i]->judge(input, &answers[i]) || input->arena->exhausted)
            return false;
    }
    return true;
}

bool rule_is_about_calls(unsigned code)
{
    return (code >= HVCI2000_EXECUTABLE_POOL && code <= HVCI2002_EXECUTABLE_MDL) ||
           (code >= HVCI2300_WRITE_PROTECT_CLEARED && code <= HVCI2303_ALLOCATION_EXECUTED);
}

bool rule_is_cured_by_stubs(unsigned code)
{
    return code == HVCI2000_EXECUTABLE_POOL || code == HVCI2002_EXECUTABLE_MDL;
}

bool rule_is_repaired_on_request(const struct rule *rule)
{
    return rule->demand != DEMAND_NONE || rule_is_about_calls((unsigned)rule->code);
}

const struct rule *rule_find(unsigned code)
{
    for (size_t i = 0; i < rules_count; i++)
        if ((unsigned)rules_all[i]->code == code)
            return rules_all[i];
    return NULL;
}
