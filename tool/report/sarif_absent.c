/* sarif_absent.c - findings of the baseline that are gone.
 * Takes: a baseline and what was seen of it.  Gives: results.  Must not: show them to GitHub, which would
 * take them for findings. */
#include "report/sarif.h"

#include <stdlib.h>

static void add_absent(struct json_writer *json, const struct baseline_entry *entry)
{
    unsigned long code = strtoul(entry->rule + strspn(entry->rule, "HVCI"), NULL, 10);
    json_begin_object(json, NULL);
    json_text(json, "ruleId", entry->rule);
    if (rule_find((unsigned)code))
        json_number(json, "ruleIndex", sarif_descriptor_index((enum finding_code)code));
    json_text(json, "kind", "fail");
    json_text(json, "level", entry->level == LEVEL_OFF ? "none" : finding_level_name(entry->level));
    json_begin_object(json, "message");
    json_text(json, "text", entry->message);
    json_end_object(json);
    json_begin_array(json, "locations");
    json_begin_object(json, NULL);
    json_begin_object(json, "physicalLocation");
    json_begin_object(json, "artifactLocation");
    json_text(json, "uri", entry->uri);
    if (!strchr(entry->uri, ':'))
        json_text(json, "uriBaseId", SARIF_URI_BASE);
    json_end_object(json);
    if (entry->byte_count != 0) {
        json_begin_object(json, "region");
        json_number(json, "byteOffset", entry->byte_offset);
        json_number(json, "byteLength", entry->byte_count);
        json_end_object(json);
    }
    json_end_object(json);
    json_end_object(json);
    json_end_array(json);
    json_begin_object(json, "partialFingerprints");
    json_text(json, "hvcifixFinding/v1", entry->fingerprint.chars);
    json_end_object(json);
    json_text(json, "baselineState", "absent");
    json_begin_array(json, "suppressions");
    json_end_array(json);
    json_end_object(json);
}

void sarif_absent_results(struct json_writer *json, const struct report_run *run)
{
    if (!run->baseline || !run->baseline_seen || run->settings->sarif_profile == SARIF_GITHUB)
        return;
    for (size_t i = 0; i < run->baseline->count; i++)
        if (!run->baseline_seen[i])
            add_absent(json, &run->baseline->entries[i]);
}
