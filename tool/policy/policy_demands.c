/* policy_demands.c - [require] and [rules] together: what is asked of an image, and where the two disagree.
 * Takes: a policy with all its layers.  Gives: demands with their levels, or problems.
 * Must not: let one section silently take back what the other says. */
#include "policy/policy_parts.h"

#include "rules/rule.h"

static struct policy_rule *rule_of(const struct policy *policy, size_t demand)
{
    for (size_t i = 0; i < rules_count; i++)
        if (rules_all[i]->demand == (enum demand_id)demand)
            return &policy->rules[i];
    return NULL;
}

static bool has_level(const struct policy_rule *rule)
{
    return rule->level != RULE_LEVEL_DEFAULT && rule->level != RULE_LEVEL_OFF;
}

static enum finding_level level_of(const struct policy_demand *demand, const struct policy_rule *rule)
{
    return rule_level_or(rule->level, demand->value == DEMAND_ANY ? LEVEL_OFF : LEVEL_ERROR);
}

void policy_demands(const struct policy *policy, struct demands *demands)
{
    *demands = (struct demands){0};
    for (size_t i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++) {
        const struct policy_rule *rule = rule_of(policy, i);
        if (!rule)
            continue;
        demands->items[i].value = policy->demands[i].value;
        demands->items[i].level = level_of(&policy->demands[i], rule);
        /* A level alone asks for what the rule is about, where that is one thing only. */
        if (policy->demands[i].value == DEMAND_ANY && has_level(rule) && !demand_rows[i].words[DEMAND_ABSENT])
            demands->items[i].value = DEMAND_HOLDS;
    }
}

/* "policy.ini(3,1)" or "preset whcp". */
static const char *origin_words(struct arena *arena, const struct policy_origin *origin)
{
    return origin->line != 0 ? arena_printf(arena, "%s(%u,%u)", origin->file, origin->line, origin->column)
                             : origin->file;
}

static void complain_of_off(struct policy_reader *reader, const struct demand_row *row,
                            const struct policy_demand *demand, const struct policy_rule *rule)
{
    policy_complain(
        reader, &rule->level_origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
        "HVCI%04u is off here, but [require] demands %s = %s (%s). Write %s = any there, or give the "
        "rule another level.",
        (unsigned)row->code, row->key, row->words[demand->value],
        origin_words(reader->arena, &demand->origin), row->key);
}

static void complain_of_any(struct policy_reader *reader, const struct demand_row *row,
                            const struct policy_demand *demand, const struct policy_rule *rule)
{
    policy_complain(
        reader, &rule->level_origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
        "HVCI%04u has the level %s here, but [require] demands nothing: %s = any (%s). Write HVCI%04u "
        "= default here, or demand something there.",
        (unsigned)row->code, rule_level_name(rule->level), row->key,
        origin_words(reader->arena, &demand->origin), (unsigned)row->code);
}

static void complain_of_unsaid(struct policy_reader *reader, const struct demand_row *row,
                               const struct policy_rule *rule)
{
    policy_complain(reader, &rule->level_origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                    "HVCI%04u has the level %s, but [require] does not say what \"%s\" has to be: %s or %s.",
                    (unsigned)row->code, rule_level_name(rule->level), row->key, row->words[DEMAND_HOLDS],
                    row->words[DEMAND_ABSENT]);
}

/* A preset is what one begins with: the file's own word holds over it, whichever of the two sections has it.
 */
void policy_finish_demands(struct policy_reader *reader)
{
    struct policy *policy = reader->policy;
    for (size_t i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++) {
        struct policy_demand *demand = &policy->demands[i];
        struct policy_rule *rule = rule_of(policy, i);
        const struct demand_row *row = &demand_rows[i];
        bool is_demanded = demand->value != DEMAND_ANY, is_any = !is_demanded && demand->origin.file;
        if (!rule)
            continue;
        if (is_any && rule->level_origin.is_preset)
            rule->level = RULE_LEVEL_DEFAULT;
        if (is_demanded && rule->level == RULE_LEVEL_OFF && demand->origin.is_preset)
            *demand = (struct policy_demand){DEMAND_ANY, rule->level_origin};
        else if (is_demanded && rule->level == RULE_LEVEL_OFF)
            complain_of_off(reader, row, demand, rule);
        else if (is_any && has_level(rule))
            complain_of_any(reader, row, demand, rule);
        else if (!is_demanded && row->words[DEMAND_ABSENT] && has_level(rule))
            complain_of_unsaid(reader, row, rule);
    }
}
