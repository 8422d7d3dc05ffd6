/* policy.h - what an organisation demands of its images, read from a file.
 * Takes: the path of a policy file (INI), today's date.  Gives: struct policy, and what is wrong with the
 * file. Must not: judge images by itself, ask for the time, or let a broken file pass for one that allows
 * everything.
 *
 * A policy is put together from layers: what is built in, then a preset, then the included files in their
 * order, then the file itself. A later layer overrides single values of an earlier one; waivers add up. */
#ifndef HVCIFIX_POLICY_POLICY_H
#define HVCIFIX_POLICY_POLICY_H

#include "base/finding.h"
#include "base/text.h"
#include "policy/calendar.h"
#include "policy/report_wish.h"
#include "rules/demands.h"
#include "rules/target.h"

enum policy_mode { MODE_AUDIT, MODE_FIX, MODE_REJECT };

/* Where a value was set. `file` is NULL for what is built in; line and column count from 1, and are 0 in
 * presets. */
struct policy_origin {
    const char *file;
    unsigned line, column;
    bool is_preset;
};

enum rule_level { RULE_LEVEL_DEFAULT, RULE_LEVEL_OFF, RULE_LEVEL_NOTE, RULE_LEVEL_WARNING, RULE_LEVEL_ERROR };

/* Who may repair what a rule finds: `enforce` by itself, only `fix`, which somebody calls, or neither. */
enum rule_repair { REPAIR_BY_ENFORCE, REPAIR_BY_FIX, REPAIR_NEVER };

struct policy_rule {
    enum rule_level level;
    enum rule_repair repair;
    struct policy_origin level_origin, repair_origin;
    struct {
        enum rule_level level; /* RULE_LEVEL_DEFAULT: at most the rule's own, at most the finding's default */
        struct policy_origin origin;
    } unproved[FINDING_CERTAINTY_COUNT]; /* of rules about calls; none for FINDING_PROVED */
};

struct policy_demand {
    enum demand_value value;
    struct policy_origin origin; /* no file: nothing was said */
};

struct waiver {
    const char *name;
    const char *image;   /* a pattern of glob.h for the path of the image */
    const char *section; /* a pattern for the section's name; NULL: wherever the finding lies */
    enum finding_code code;
    const char *reason, *owner;
    day_number expires; /* the last day on which it holds */
    struct policy_origin origin;
};

struct policy {
    const char *path; /* as it was given */
    const char *name;
    enum windows_target target;
    enum policy_mode mode;
    bool drop_signature;
    unsigned expiry_warning_days;
    struct policy_origin name_origin, target_origin, mode_origin, drop_signature_origin,
        expiry_warning_days_origin;
    struct policy_rule *rules; /* rules_count of them, in the order of rules_all */
    struct policy_demand demands[DEMAND_COUNT];
    struct report_wish *reports; /* [report], each with its origin */
    struct policy_origin *report_origins;
    size_t report_count;
    struct report_settings report_settings;
    struct policy_origin sarif_profile_origin, sarif_anchor_origin, sarif_category_origin,
        sarif_passes_origin;
    struct waiver *waivers;
    size_t waiver_count, waiver_capacity;
    day_number today;
    bool warnings_are_errors; /* not of the file: warnings of rules count as errors, unless they are waived */
    const char **files;       /* the files that were read, the first one first; not those that could not be */
    size_t file_count;
};

/* The path of a policy that is only a preset begins like this: preset:windows-11. */
#define POLICY_PRESET_PREFIX "preset:"

/* What is wrong with a policy, and where. */
struct policy_problem {
    struct policy_origin origin; /* line 0: the file as a whole */
    enum finding_code code;      /* HVCI9040 to HVCI9043 */
    enum finding_level level;
    const char *message; /* one sentence with its period */
};

struct policy_problem_list {
    struct arena *arena; /* borrowed */
    struct policy_problem *items;
    size_t count, capacity;
};

/* Reads the file and all that it includes; with a path of NULL there is no file, only what is built in.
 * Problems come file by file, those of form before those of values. True when the policy can be used: there
 * may still be warnings, and waivers that have expired. False when there is a problem of HVCI9040 or
 * HVCI9041, or memory ran out (arena->exhausted). Everything lives in the arena. */
bool policy_read(const char *path, day_number today, struct arena *arena, struct policy *policy,
                 struct policy_problem_list *problems);

/* A commented file with every key, which policy_read() accepts; with the values of a preset (NULL: what is
 * built in). NULL when memory ran out. */
const char *policy_init_text(const char *preset, struct arena *arena);

/* The manual page hvcifix-policy.5. */
void policy_manual(struct text *text);

/* The names of the presets, NULL behind the last. */
extern const char *const policy_preset_names[];

/* What is asked of kernel images by [require], or by a level in [rules] alone. */
void policy_demands(const struct policy *policy, struct demands *demands);

const char *policy_mode_name(enum policy_mode mode);
const char *rule_level_name(enum rule_level level);
const char *rule_repair_name(enum rule_repair repair);

#endif
