/* policy_judge.c - policy_judge.h, one finding at a time.
 * Takes: findings.  Gives: levels and marks.  Must not: look at the image's bytes. */
#include "policy/policy_judge.h"

#include "policy/glob.h"
#include "policy/policy_parts.h"
#include "rules/rule.h"

static const struct policy_rule *rule_of(const struct policy *policy, enum finding_code code)
{
    for (size_t i = 0; i < rules_count; i++)
        if (rules_all[i]->code == code)
            return &policy->rules[i];
    return NULL;
}

bool policy_lets_enforce_repair(const struct policy *policy, enum finding_code code)
{
    const struct policy_rule *rule = rule_of(policy, code);
    return !rule || rule->repair == REPAIR_BY_ENFORCE;
}

enum finding_level rule_level_or(enum rule_level level, enum finding_level otherwise)
{
    switch (level) {
    case RULE_LEVEL_OFF:
        return LEVEL_OFF;
    case RULE_LEVEL_NOTE:
        return LEVEL_NOTE;
    case RULE_LEVEL_WARNING:
        return LEVEL_WARNING;
    case RULE_LEVEL_ERROR:
        return LEVEL_ERROR;
    case RULE_LEVEL_DEFAULT:
        break;
    }
    return otherwise;
}

/* The level of a rule is that of what is proved. What is not proved weighs no more than by default, unless it
 * has a level of its own. */
static enum finding_level level_of(const struct policy_rule *rule, const struct image *image,
                                   const struct finding *finding)
{
    enum finding_level level = rule_level_or(rule->level, finding->level);
    enum rule_level own =
        finding->certainty == FINDING_PROVED ? RULE_LEVEL_DEFAULT : rule->unproved[finding->certainty].level;
    if (finding->certainty != FINDING_PROVED && level > finding->level)
        level = finding->level;
    level = rule_level_or(own, level);
    return rule->level == RULE_LEVEL_DEFAULT && own == RULE_LEVEL_DEFAULT ? level : rule_level(image, level);
}

static bool is_about(const struct waiver *waiver, const struct finding *finding)
{
    if (waiver->code != finding->code)
        return false;
    return !waiver->section || (finding->section && glob_match(waiver->section, finding->section));
}

/* A waived finding does not stop a build: it is a note, or, when the waiver's end is near, a warning. */
static bool waive(const struct policy *policy, const struct waiver *waiver, struct finding *finding,
                  struct arena *arena)
{
    struct finding_waiver *mark = arena_alloc(arena, sizeof *mark);
    if (!mark)
        return false;
    mark->name = waiver->name;
    mark->reason = waiver->reason;
    mark->owner = waiver->owner;
    mark->file = waiver->origin.line != 0 ? waiver->origin.file : NULL;
    mark->line = waiver->origin.line;
    calendar_name(waiver->expires, mark->expires);
    int64_t days_left = (int64_t)waiver->expires - policy->today;
    mark->ends_soon = days_left <= (int64_t)policy->expiry_warning_days;
    enum finding_level level = mark->ends_soon ? LEVEL_WARNING : LEVEL_NOTE;
    if (level < finding->level)
        finding->level = level;
    finding->waiver = mark;
    return true;
}

static void raise(enum waiver_use *uses, size_t number, enum waiver_use use)
{
    if (uses && uses[number] < use)
        uses[number] = use;
}

bool policy_judge(const struct policy *policy, const char *path, const struct image *image,
                  struct finding_list *findings, enum waiver_use *uses, struct arena *arena)
{
    for (size_t i = 0; i < findings->count; i++) {
        struct finding *finding = &findings->items[i];
        const struct policy_rule *rule = rule_of(policy, finding->code);
        if (rule)
            finding->level = level_of(rule, image, finding);
    }
    for (size_t k = 0; k < policy->waiver_count; k++) {
        const struct waiver *waiver = &policy->waivers[k];
        if (waiver->expires < policy->today || !glob_match_path(waiver->image, path))
            continue;
        raise(uses, k, WAIVER_UNUSED);
        for (size_t i = 0; i < findings->count; i++) {
            struct finding *finding = &findings->items[i];
            if (finding->level == LEVEL_OFF || !is_about(waiver, finding))
                continue;
            raise(uses, k, WAIVER_USED);
            if (!finding->waiver && !waive(policy, waiver, finding, arena))
                return false;
        }
    }
    for (size_t i = 0; policy->warnings_are_errors && i < findings->count; i++) {
        struct finding *finding = &findings->items[i];
        if (finding->level == LEVEL_WARNING && !finding->waiver)
            finding->level = LEVEL_ERROR;
    }
    return true;
}
