/* policy_parts.h - what the files of this folder share.
 * Takes nothing.  Gives: the tables of sections and keys, entries of a file, and what sets values.  Must not:
 * be included outside of tool/policy. */
#ifndef HVCIFIX_POLICY_PARTS_H
#define HVCIFIX_POLICY_PARTS_H

#include "base/span.h"
#include "policy/policy.h"

enum policy_section {
    SECTION_POLICY,
    SECTION_RULES,
    SECTION_FIX,
    SECTION_REQUIRE,
    SECTION_REPORT,
    SECTION_WAIVER,
    SECTION_COUNT
};

enum policy_key {
    KEY_POLICY_NAME,
    KEY_PRESET,
    KEY_INCLUDE,
    KEY_TARGET,
    KEY_MODE,
    KEY_DROP_SIGNATURE,
    KEY_EXPIRY_WARNING_DAYS,
    KEY_RULE_LEVEL, /* a code in [rules] */
    KEY_RULE_REPAIR,
    KEY_REQUIRE, /* a demand of rules/demands.h */
    KEY_REPORT_FILE,
    KEY_SARIF_PROFILE,
    KEY_SARIF_ANCHOR,
    KEY_SARIF_CATEGORY,
    KEY_SARIF_PASSES,
    KEY_WAIVER_IMAGE,
    KEY_WAIVER_CODE,
    KEY_WAIVER_SECTION,
    KEY_WAIVER_REASON,
    KEY_WAIVER_OWNER,
    KEY_WAIVER_EXPIRES,
    KEY_NONE
};

struct key_row {
    enum policy_section section;
    const char *name; /* NULL: any rule's code */
    enum policy_key key;
    const char *values; /* what is accepted, for messages */
    const char *help;   /* one or more lines for the file that `policy init` writes */
    const char *example;
};
extern const struct key_row policy_keys[];
extern const size_t policy_key_count;

/* "policy", "rules"...; a waiver's section is written [waiver "name"]. */
extern const char *const policy_section_names[SECTION_COUNT];

/* What each section is for, in one or more lines. */
extern const char *const policy_section_about[SECTION_COUNT];

/* The row of a key; NULL when there is none. Case does not matter. */
const struct key_row *policy_key_find(enum policy_section section, const char *name);

/* The known word that is at most two slips away (a letter more, less, other, or two exchanged), or NULL. */
const char *policy_near_key(enum policy_section section, const char *name);
const char *policy_near_section(const char *name);

/* The number of the rule of a code ("HVCI2003", "2003") in rules_all; rules_count when there is none. With
 * `certainty` also "HVCI2000.depends" and "HVCI2000.unknown", for rules about calls. */
size_t policy_rule_number(const char *word, enum finding_certainty *certainty);

/* One line `name = value`, or the beginning of a section (name NULL). */
struct policy_entry {
    enum policy_section section;
    const char *waiver; /* the name in [waiver "name"] */
    const struct key_row *key;
    const char *name, *value;
    struct policy_origin at_name, at_value;
};

struct entry_list {
    struct policy_entry *items;
    size_t count, capacity;
};

struct policy_reader {
    struct arena *arena;
    struct policy *policy;
    struct policy_problem_list *problems;
};

/* Appends a problem. */
void policy_complain(struct policy_reader *reader, const struct policy_origin *origin, enum finding_code code,
                     enum finding_level level, const char *format, ...) HVCIFIX_PRINTF(5, 6);

/* The lines of one text as entries, with a problem for each line that is none. `file` is shown in problems.
 * False: memory ran out. */
bool policy_entries(struct policy_reader *reader, const char *file, struct span text,
                    struct entry_list *entries);

/* Sets the value of one entry (any but `include` and `preset`) in the policy, or complains. */
void policy_set(struct policy_reader *reader, const struct policy_entry *entry);

/* The same for an entry of [report]. */
void policy_set_report(struct policy_reader *reader, const struct policy_entry *entry);

/* Looks whether each waiver has what it needs, and which have expired. */
void policy_finish_waivers(struct policy_reader *reader);

/* Looks whether [require] and [rules] say the same of each rule of build policy. */
void policy_finish_demands(struct policy_reader *reader);

/* The INI text of a preset, or NULL when there is none of that name. */
const char *policy_preset_text(const char *name);

/* What a preset that there is stands for, in a few words. */
const char *policy_preset_about(const char *name);

/* policy_judge.c: the level of findings that a policy gives a rule; `otherwise` where it gives none. */
enum finding_level rule_level_or(enum rule_level level, enum finding_level otherwise);

#endif
