/* report_policy.c - report_policy.h.
 * Takes: policies.  Gives: text.  Must not: decide anything. */
#include "report/report_policy.h"

#include "report/layout.h"
#include "report/safe_text.h"
#include "rules/rule.h"

enum { VALUE_COLUMN = 22, ORIGIN_COLUMN = 42, LEVEL_COLUMN = 10 };

/* "policy.ini(12,3)", "policy.ini", "preset whcp", "built in". */
static void add_origin(struct text *text, const struct policy_origin *origin)
{
    if (!origin->file) {
        text_addz(text, "built in");
        return;
    }
    safe_add_path(text, origin->file);
    if (origin->line != 0)
        text_printf(text, "(%u,%u)", origin->line, origin->column);
}

void report_text_policy_problem(struct text *text, const struct policy_problem *problem,
                                const struct report_style *style)
{
    add_origin(text, &problem->origin);
    text_addz(text, problem->origin.line != 0 ? ": " : " : ");
    layout_paint(text, style, layout_level_paint(problem->level), finding_level_name(problem->level));
    text_printf(text, " HVCI%04u: ", (unsigned)problem->code);
    safe_add(text, problem->message);
    text_addz(text, "\n");
}

void report_text_policy_result(struct text *text, const struct policy *policy,
                               const struct policy_problem_list *problems, bool is_usable)
{
    size_t line_start = text->nbytes;
    safe_add_path(text, policy->path);
    text_addz(text, is_usable ? ": can be used; " : ": cannot be trusted; ");
    layout_count(text, problems->count, "problem", "problems");
    text_addz(text, ", ");
    layout_count(text, policy->waiver_count, "waiver", "waivers");
    safe_end_line(text, line_start);
}

static void add_value(struct text *text, const char *name, const char *value,
                      const struct policy_origin *origin)
{
    size_t line_start = text->nbytes;
    text_addz(text, name);
    text_pad_to_column(text, line_start, VALUE_COLUMN);
    safe_add(text, value);
    text_pad_to_column(text, line_start, ORIGIN_COLUMN);
    text_addz(text, " ");
    add_origin(text, origin);
    safe_end_line(text, line_start);
}

/* What holds for a rule of build policy: a level of its own, or what [require] makes of it. */
static const char *level_words(const struct policy_rule *set, const struct rule *rule,
                               const struct policy_demand *demand)
{
    if (set->level != RULE_LEVEL_DEFAULT)
        return rule_level_name(set->level);
    if (rule->demand == DEMAND_NONE)
        return rule->default_level;
    return demand->value == DEMAND_ANY ? "off" : "error";
}

static void add_rule(struct text *text, const struct policy *policy, size_t number)
{
    const struct policy_rule *set = &policy->rules[number];
    const struct rule *rule = rules_all[number];
    const struct policy_demand *demand = &policy->demands[rule->demand];
    size_t line_start = text->nbytes;
    text_printf(text, "HVCI%04u", (unsigned)rule->code);
    text_pad_to_column(text, line_start, LEVEL_COLUMN);
    text_addz(text, level_words(set, rule, demand));
    text_addz(text, ", ");
    add_origin(text, set->level == RULE_LEVEL_DEFAULT ? &demand->origin : &set->level_origin);
    for (unsigned i = FINDING_DEPENDS; i < FINDING_CERTAINTY_COUNT; i++) {
        if (set->unproved[i].level == RULE_LEVEL_DEFAULT)
            continue;
        text_printf(text, "; %s %s, ", i == FINDING_DEPENDS ? "depends" : "unknown",
                    rule_level_name(set->unproved[i].level));
        add_origin(text, &set->unproved[i].origin);
    }
    text_addz(text, "; repair ");
    text_addz(text, rule_repair_name(set->repair));
    text_addz(text, ", ");
    add_origin(text, &set->repair_origin);
    safe_end_line(text, line_start);
}

/* What [require] says, one line a demand. */
static void add_demands(struct text *text, const struct policy *policy)
{
    for (size_t i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++)
        add_value(text, demand_rows[i].key, demand_rows[i].words[policy->demands[i].value],
                  &policy->demands[i].origin);
}

static void add_waiver(struct text *text, const struct policy *policy, const struct waiver *waiver)
{
    char day[CALENDAR_DAY_NBYTES];
    calendar_name(waiver->expires, day);
    size_t line_start = text->nbytes;
    text_addz(text, "\"");
    safe_add(text, waiver->name);
    text_printf(text, "\" HVCI%04u in ", (unsigned)waiver->code);
    safe_add(text, waiver->image);
    if (waiver->section) {
        text_addz(text, ", section ");
        safe_add(text, waiver->section);
    }
    text_printf(text, ", %s %s, ", waiver->expires < policy->today ? "expired on" : "until", day);
    add_origin(text, &waiver->origin);
    safe_end_line(text, line_start);
    layout_labelled(text, "reason", waiver->reason);
    layout_labelled(text, "owner", waiver->owner);
}

static void add_reports(struct text *text, const struct policy *policy)
{
    static const char *const profiles[] = {[SARIF_SPEC] = "spec", [SARIF_GITHUB] = "github"};
    const struct report_settings *settings = &policy->report_settings;
    for (size_t i = 0; i < policy->report_count; i++)
        add_value(text, "report", policy->reports[i].path, &policy->report_origins[i]);
    add_value(text, "sarif-profile", profiles[settings->sarif_profile], &policy->sarif_profile_origin);
    add_value(text, "sarif-anchor",
              settings->anchor_file
                  ? arena_printf(text->arena, "%s:%u", settings->anchor_file, (unsigned)settings->anchor_line)
                  : "(none)",
              &policy->sarif_anchor_origin);
    add_value(text, "sarif-category", settings->category ? settings->category : "(none)",
              &policy->sarif_category_origin);
    add_value(text, "sarif-passes", settings->with_passes ? "yes" : "no", &policy->sarif_passes_origin);
}

void report_text_policy(struct text *text, const struct policy *policy)
{
    add_value(text, "name", policy->name[0] ? policy->name : "(none)", &policy->name_origin);
    add_value(text, "target", target_name(policy->target), &policy->target_origin);
    add_value(text, "mode", policy_mode_name(policy->mode), &policy->mode_origin);
    add_value(text, "drop-signature", policy->drop_signature ? "yes" : "no", &policy->drop_signature_origin);
    add_value(text, "expiry-warning-days", arena_printf(text->arena, "%u", policy->expiry_warning_days),
              &policy->expiry_warning_days_origin);
    text_addz(text, "\n");
    add_demands(text, policy);
    text_addz(text, "\n");
    add_reports(text, policy);
    text_addz(text, "\n");
    for (size_t i = 0; i < rules_count; i++)
        add_rule(text, policy, i);
    if (policy->waiver_count != 0)
        text_addz(text, "\n");
    for (size_t i = 0; i < policy->waiver_count; i++)
        add_waiver(text, policy, &policy->waivers[i]);
}

const char *report_expired_waiver(const struct waiver *waiver, struct arena *arena)
{
    char day[CALENDAR_DAY_NBYTES];
    calendar_name(waiver->expires, day);
    return arena_printf(arena,
                        "The waiver \"%s\" has expired: it held until %s. What it waived counts again.",
                        waiver->name, day);
}

enum finding_level report_expired_level(const struct policy *policy, const char *verb)
{
    return policy->mode == MODE_AUDIT && strcmp(verb, "enforce") == 0 ? LEVEL_WARNING : LEVEL_ERROR;
}

void report_text_expired_waivers(struct text *text, const struct policy *policy, const char *verb,
                                 const struct report_style *style)
{
    enum finding_level level = report_expired_level(policy, verb);
    for (size_t i = 0; i < policy->waiver_count; i++) {
        if (policy->waivers[i].expires >= policy->today)
            continue;
        struct policy_problem problem = {policy->waivers[i].origin, HVCI9042_WAIVER_EXPIRED, level,
                                         report_expired_waiver(&policy->waivers[i], text->arena)};
        report_text_policy_problem(text, &problem, style);
    }
}

void report_text_unused_waivers(struct text *text, const struct policy *policy, const enum waiver_use *uses,
                                const struct report_style *style)
{
    for (size_t i = 0; i < policy->waiver_count; i++) {
        if (uses[i] != WAIVER_UNUSED)
            continue;
        struct policy_problem problem = {
            policy->waivers[i].origin, HVCI9043_WAIVER_UNUSED, LEVEL_WARNING,
            arena_printf(text->arena,
                         "The waiver \"%s\" waives nothing: no image that it is about has a finding of "
                         "HVCI%04u%s%s.",
                         policy->waivers[i].name, (unsigned)policy->waivers[i].code,
                         policy->waivers[i].section ? " in section " : "",
                         policy->waivers[i].section ? policy->waivers[i].section : "")};
        report_text_policy_problem(text, &problem, style);
    }
}
