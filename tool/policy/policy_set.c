/* policy_set.c - one entry's value in the policy.
 * Takes: an entry whose key is known.  Gives: a changed policy, or a problem.  Must not: open files. */
#include "policy/policy_parts.h"

#include "base/text.h"

#include "rules/rule.h"

struct word {
    const char *word;
    int value;
};

static const struct word mode_words[] = {
    {"audit", MODE_AUDIT}, {"fix", MODE_FIX}, {"reject", MODE_REJECT}, {0}};
static const struct word yes_no_words[] = {{"yes", true}, {"no", false}, {0}};
static const struct word level_words[] = {{"default", RULE_LEVEL_DEFAULT}, {"off", RULE_LEVEL_OFF},
                                          {"note", RULE_LEVEL_NOTE},       {"warning", RULE_LEVEL_WARNING},
                                          {"error", RULE_LEVEL_ERROR},     {0}};
static const struct word repair_words[] = {
    {"enforce", REPAIR_BY_ENFORCE}, {"fix", REPAIR_BY_FIX}, {"never", REPAIR_NEVER}, {0}};

static const char *name_of(const struct word *words, int value)
{
    while (words->value != value)
        words++;
    return words->word;
}

const char *policy_mode_name(enum policy_mode mode)
{
    return name_of(mode_words, (int)mode);
}

const char *rule_level_name(enum rule_level level)
{
    return name_of(level_words, (int)level);
}

const char *rule_repair_name(enum rule_repair repair)
{
    return name_of(repair_words, (int)repair);
}

static void complain_of_value(struct policy_reader *reader, const struct policy_entry *entry)
{
    policy_complain(reader, &entry->at_value, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                    "\"%s\" is no value of \"%s\", which takes %s.", entry->value, entry->name,
                    entry->key->values);
}

/* The value of a word; -1, with a problem, for any other. */
static int word_value(struct policy_reader *reader, const struct policy_entry *entry,
                      const struct word *words)
{
    for (; words->word; words++)
        if (text_same_word(words->word, entry->value))
            return words->value;
    complain_of_value(reader, entry);
    return -1;
}

static void set_days(struct policy_reader *reader, const struct policy_entry *entry)
{
    enum { MOST_DIGITS = 4, MOST_DAYS = 3650 };
    size_t digits = strspn(entry->value, "0123456789");
    unsigned days = 0;
    for (size_t i = 0; i < digits && i < MOST_DIGITS; i++)
        days = days * 10 + (unsigned)(entry->value[i] - '0');
    if (digits == 0 || digits > MOST_DIGITS || entry->value[digits] != 0 || days > MOST_DAYS) {
        complain_of_value(reader, entry);
        return;
    }
    reader->policy->expiry_warning_days = days;
    reader->policy->expiry_warning_days_origin = entry->at_name;
}

static void set_policy(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct policy *policy = reader->policy;
    int value;
    switch (entry->key->key) {
    case KEY_POLICY_NAME:
        policy->name = entry->value;
        policy->name_origin = entry->at_name;
        break;
    case KEY_TARGET:
        if (target_parse(entry->value, &policy->target))
            policy->target_origin = entry->at_name;
        else
            complain_of_value(reader, entry);
        break;
    case KEY_MODE:
        value = word_value(reader, entry, mode_words);
        if (value < 0)
            break;
        policy->mode = (enum policy_mode)value;
        policy->mode_origin = entry->at_name;
        break;
    case KEY_DROP_SIGNATURE:
        value = word_value(reader, entry, yes_no_words);
        if (value < 0)
            break;
        policy->drop_signature = value != 0;
        policy->drop_signature_origin = entry->at_name;
        break;
    case KEY_EXPIRY_WARNING_DAYS:
        set_days(reader, entry);
        break;
    default:
        break;
    }
}

static void set_rule(struct policy_reader *reader, const struct policy_entry *entry)
{
    enum finding_certainty certainty = FINDING_PROVED;
    size_t number = policy_rule_number(entry->name, &certainty);
    struct policy_rule *rule = &reader->policy->rules[number];
    enum demand_id demand = rules_all[number]->demand;
    int value = word_value(reader, entry, entry->key->key == KEY_RULE_LEVEL ? level_words : repair_words);
    if (value < 0)
        return;
    unsigned code = (unsigned)rules_all[number]->code;
    bool is_of_source = (rule_is_about_calls(code) && !rule_is_cured_by_stubs(code)) ||
                        (demand != DEMAND_NONE && !demand_is_repairable(demand));
    if (entry->key->key == KEY_RULE_REPAIR && value == REPAIR_BY_ENFORCE && is_of_source) {
        policy_complain(reader, &entry->at_value, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "Nothing repairs HVCI%04u in a finished image, so enforce cannot either; \"hvcifix "
                        "explain HVCI%04u\" has the cure.",
                        (unsigned)rules_all[number]->code, (unsigned)rules_all[number]->code);
        return;
    }
    if (entry->key->key == KEY_RULE_LEVEL && certainty != FINDING_PROVED) {
        rule->unproved[certainty].level = (enum rule_level)value;
        rule->unproved[certainty].origin = entry->at_name;
    } else if (entry->key->key == KEY_RULE_LEVEL) {
        rule->level = (enum rule_level)value;
        rule->level_origin = entry->at_name;
    } else {
        rule->repair = (enum rule_repair)value;
        rule->repair_origin = entry->at_name;
    }
}

static void set_demand(struct policy_reader *reader, const struct policy_entry *entry)
{
    for (size_t i = DEMAND_NONE + 1; i < DEMAND_COUNT; i++) {
        if (!text_same_word(demand_rows[i].key, entry->key->name))
            continue;
        for (size_t value = 0; value < DEMAND_MOST_VALUES; value++) {
            const char *word = demand_rows[i].words[value];
            if (!word || !text_same_word(word, entry->value))
                continue;
            reader->policy->demands[i] = (struct policy_demand){(enum demand_value)value, entry->at_name};
            return;
        }
    }
    complain_of_value(reader, entry);
}

static void set_waiver(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct waiver *waiver = &reader->policy->waivers[reader->policy->waiver_count - 1];
    size_t rule;
    switch (entry->key->key) {
    case KEY_WAIVER_IMAGE:
        waiver->image = entry->value;
        break;
    case KEY_WAIVER_CODE:
        rule = policy_rule_number(entry->value, NULL);
        if (rule == rules_count)
            complain_of_value(reader, entry);
        waiver->code = rule < rules_count ? rules_all[rule]->code : HVCI9040_POLICY_INVALID;
        break;
    case KEY_WAIVER_SECTION:
        waiver->section = entry->value;
        break;
    case KEY_WAIVER_REASON:
        waiver->reason = entry->value;
        break;
    case KEY_WAIVER_OWNER:
        waiver->owner = entry->value;
        break;
    case KEY_WAIVER_EXPIRES:
        waiver->expires = INT32_MAX; /* what is wrong is said once */
        if (!calendar_parse(entry->value, &waiver->expires))
            complain_of_value(reader, entry);
        break;
    default:
        break;
    }
}

/* [waiver "name"]: from here on its keys. */
static void begin_waiver(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct policy *policy = reader->policy;
    enum { MOST_WAIVERS = 4096 };
    if (policy->waiver_count == MOST_WAIVERS)
        policy_complain(reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A policy has at most %d waivers.", MOST_WAIVERS);
    if (policy->waiver_count > MOST_WAIVERS)
        return; /* it was said, and nothing will be judged by this policy */
    for (size_t i = 0; i < policy->waiver_count; i++)
        if (strcmp(policy->waivers[i].name, entry->waiver) == 0)
            policy_complain(reader, &entry->at_name, HVCI9041_POLICY_DUPLICATE, LEVEL_ERROR,
                            "There is a waiver \"%s\" already, at %s(%u).", entry->waiver,
                            policy->waivers[i].origin.file, policy->waivers[i].origin.line);
    struct waiver *waivers = arena_grow(reader->arena, policy->waivers, policy->waiver_count,
                                        &policy->waiver_capacity, policy->waiver_count + 1, sizeof *waivers);
    if (!waivers)
        return;
    policy->waivers = waivers;
    waivers[policy->waiver_count++] =
        (struct waiver){.name = entry->waiver, .expires = NO_DAY, .origin = entry->at_name};
}

void policy_set(struct policy_reader *reader, const struct policy_entry *entry)
{
    switch (entry->section) {
    case SECTION_POLICY:
        if (entry->key)
            set_policy(reader, entry);
        break;
    case SECTION_RULES:
    case SECTION_FIX:
        if (entry->key)
            set_rule(reader, entry);
        break;
    case SECTION_REQUIRE:
        if (entry->key)
            set_demand(reader, entry);
        break;
    case SECTION_REPORT:
        if (entry->key)
            policy_set_report(reader, entry);
        break;
    case SECTION_WAIVER:
        if (!entry->key)
            begin_waiver(reader, entry);
        else if (!reader->arena->exhausted)
            set_waiver(reader, entry);
        break;
    case SECTION_COUNT:
        break;
    }
}

void policy_finish_waivers(struct policy_reader *reader)
{
    struct policy *policy = reader->policy;
    for (size_t i = 0; i < policy->waiver_count; i++) {
        const struct waiver *waiver = &policy->waivers[i];
        const char *missing = !waiver->image              ? "image"
                              : waiver->code == 0         ? "code"
                              : !waiver->reason           ? "reason"
                              : !waiver->owner            ? "owner"
                              : waiver->expires == NO_DAY ? "expires"
                                                          : NULL;
        if (missing) {
            policy_complain(reader, &waiver->origin, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                            "The waiver \"%s\" has no \"%s\".", waiver->name, missing);
            continue;
        }
        if (waiver->expires >= policy->today)
            continue;
        char day[CALENDAR_DAY_NBYTES];
        calendar_name(waiver->expires, day);
        policy_complain(reader, &waiver->origin, HVCI9042_WAIVER_EXPIRED, LEVEL_ERROR,
                        "The waiver \"%s\" has expired: it held until %s. What it waived counts again.",
                        waiver->name, day);
    }
}
