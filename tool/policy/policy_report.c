/* policy_report.c - the entries of [report].
 * Takes: an entry.  Gives: a changed policy, or a problem.  Must not: write reports, or look for their files.
 */
#include "policy/policy_parts.h"

#include "base/text.h"

static void complain(struct policy_reader *reader, const struct policy_entry *entry)
{
    policy_complain(reader, &entry->at_value, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                    "\"%s\" is no value of \"%s\", which takes %s.", entry->value, entry->name,
                    entry->key->values);
}

static void add_file(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct policy *policy = reader->policy;
    struct report_wish wish = {.path = entry->value};
    wish.format = report_format_of_path(wish.path, &wish.is_gzip);
    if (wish.format == REPORT_FORMAT_COUNT) {
        complain(reader, entry);
        return;
    }
    if (policy->report_count == REPORTS_MOST) {
        policy_complain(reader, &entry->at_name, HVCI9040_POLICY_INVALID, LEVEL_ERROR,
                        "A policy has at most %d reports.", REPORTS_MOST);
        return;
    }
    if (!policy->reports) {
        policy->reports = arena_array(reader->arena, REPORTS_MOST, sizeof *policy->reports);
        policy->report_origins = arena_array(reader->arena, REPORTS_MOST, sizeof *policy->report_origins);
    }
    if (!policy->reports || !policy->report_origins)
        return; /* the arena says so */
    policy->reports[policy->report_count] = wish;
    policy->report_origins[policy->report_count++] = entry->at_name;
}

static void set_anchor(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct report_settings *settings = &reader->policy->report_settings;
    size_t file_nbytes;
    uint32_t line;
    if (!report_anchor_parse(entry->value, &file_nbytes, &line)) {
        complain(reader, entry);
        return;
    }
    settings->anchor_file = arena_copy_text(reader->arena, entry->value, file_nbytes);
    settings->anchor_line = line;
    reader->policy->sarif_anchor_origin = entry->at_name;
}

void policy_set_report(struct policy_reader *reader, const struct policy_entry *entry)
{
    struct policy *policy = reader->policy;
    struct report_settings *settings = &policy->report_settings;
    bool is_yes = text_same_word(entry->value, "yes");
    switch (entry->key->key) {
    case KEY_REPORT_FILE:
        add_file(reader, entry);
        break;
    case KEY_SARIF_PROFILE:
        if (report_profile_named(entry->value, &settings->sarif_profile))
            policy->sarif_profile_origin = entry->at_name;
        else
            complain(reader, entry);
        break;
    case KEY_SARIF_ANCHOR:
        set_anchor(reader, entry);
        break;
    case KEY_SARIF_CATEGORY:
        settings->category = entry->value;
        policy->sarif_category_origin = entry->at_name;
        break;
    case KEY_SARIF_PASSES:
        settings->with_passes = is_yes;
        policy->sarif_passes_origin = entry->at_name;
        if (!is_yes && !text_same_word(entry->value, "no"))
            complain(reader, entry);
        break;
    default:
        break;
    }
}
