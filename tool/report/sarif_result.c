/* sarif_result.c - findings as results of a SARIF log.
 * Takes: a finding and its image.  Gives: one result.  Must not: decide what is shown. */
#include "base/path_name.h"
#include "report/json_parts.h"
#include "report/sarif.h"
#include "report/text_changes.h"

#include <inttypes.h>

/* The message as rule's template with arguments: the sentence, and the image's name. */
static void add_message(struct json_writer *json, const struct sarif_subject *subject,
                        const struct finding *finding)
{
    struct arena *arena = json->text->arena;
    const char *name = path_file_name(subject->outcome->path);
    const char *sentence = finding->message;
    if (subject->settings->sarif_profile == SARIF_GITHUB) { /* the only place that GitHub shows */
        struct text place = {.arena = arena};
        text_printf(&place, "%s", sentence);
        if (finding->section || finding->rva != NO_RVA || finding->file_offset != NO_FILE_OFFSET)
            text_addz(&place, " Place:");
        if (finding->section)
            text_printf(&place, " section %s", finding->section);
        if (finding->rva != NO_RVA)
            text_printf(&place, " RVA 0x%X", (unsigned)finding->rva);
        if (finding->file_offset != NO_FILE_OFFSET)
            text_printf(&place, " file offset 0x%" PRIX64, finding->file_offset);
        text_addz(&place, place.nbytes > strlen(sentence) ? "." : "");
        sentence = place.chars ? place.chars : sentence;
    }
    json_begin_object(json, "message");
    json_text(json, "text", arena_printf(arena, "%s Image: '%s'.", sentence, name));
    json_text(json, "id", "finding"); /* of the rule's messageStrings (sarif_rules.c) */
    json_begin_array(json, "arguments");
    json_text(json, NULL, sentence);
    json_text(json, NULL, name);
    json_end_array(json);
    json_end_object(json);
}

/* All results have the array or none: empty means that nobody has waived it. */
static void add_suppressions(struct json_writer *json, const struct finding *finding)
{
    const struct finding_waiver *waiver = finding->waiver;
    json_begin_array(json, "suppressions");
    if (waiver) {
        json_begin_object(json, NULL);
        json_text(json, "kind", "external");
        json_text(json, "status", "accepted");
        json_text(json, "justification", waiver->reason);
        if (waiver->file) {
            json_begin_object(json, "location");
            json_begin_object(json, "physicalLocation");
            json_begin_object(json, "artifactLocation");
            sarif_location_members(json, waiver->file);
            json_end_object(json);
            json_begin_object(json, "region");
            json_number(json, "startLine", waiver->line);
            json_end_object(json);
            json_end_object(json);
            json_end_object(json);
        }
        json_begin_object(json, "properties");
        json_text(json, "name", waiver->name);
        json_text(json, "owner", waiver->owner);
        json_text(json, "expires", waiver->expires);
        json_end_object(json);
        json_end_object(json);
    }
    json_end_array(json);
}

/* What no rule has found was not looked up in the baseline: it counts. Either all results have a state or
 * none. */
static void add_baseline_state(struct json_writer *json, const struct sarif_subject *subject,
                               const struct finding *finding)
{
    static const char *const words[] = {
        [BASELINE_NEW] = "new", [BASELINE_UNCHANGED] = "unchanged", [BASELINE_UPDATED] = "updated"};
    if (finding->baseline != BASELINE_NOT_COMPARED)
        json_text(json, "baselineState", words[finding->baseline]);
    else if (subject->settings->has_baseline)
        json_text(json, "baselineState", words[BASELINE_NEW]);
}

static void add_fingerprints(struct json_writer *json, const struct sarif_subject *subject,
                             const char *fingerprint)
{
    json_begin_object(json, "partialFingerprints");
    json_text(json, "hvcifixFinding/v1", fingerprint);
    if (subject->settings->sarif_profile == SARIF_GITHUB)
        json_text(json, "primaryLocationLineHash", arena_printf(json->text->arena, "%.16s:1", fingerprint));
    json_end_object(json);
}

static void add_properties(struct json_writer *json, const struct shown_finding *shown)
{
    const struct finding *finding = shown->finding;
    json_begin_object(json, "properties");
    json_number(json, "places", finding->place_count);
    json_begin_array(json, "evidence");
    for (size_t i = 0; i < finding->evidence_count; i++)
        json_text(json, NULL, finding->evidence[i]);
    json_end_array(json);
    if (finding->windows)
        json_text(json, "windows", finding->windows);
    if (finding->cure)
        json_text(json, "cure", finding->cure);
    if (finding->call)
        json_call(json, finding->call);
    if (shown->is_cured)
        json_bool(json, "cured", true);
    if (finding->is_known)
        json_bool(json, "known", true);
    json_end_object(json);
}

static void add_rule(struct json_writer *json, enum finding_code code)
{
    json_code(json, "ruleId", (unsigned)code);
    json_number(json, "ruleIndex", sarif_descriptor_index(code));
}

void sarif_result(struct json_writer *json, const struct sarif_subject *subject,
                  const struct shown_finding *shown, const char *fingerprint)
{
    const struct finding *finding = shown->finding;
    enum finding_level level = finding->is_known ? finding->level_before : shown->level;
    json_begin_object(json, NULL);
    add_rule(json, finding->code);
    json_text(json, "kind", shown->is_cured ? "informational" : "fail");
    json_text(json, "level", shown->is_cured ? "none" : finding_level_name(level));
    add_message(json, subject, finding);
    sarif_locations(json, subject, finding);
    add_fingerprints(json, subject, fingerprint);
    add_baseline_state(json, subject, finding);
    add_suppressions(json, finding);
    sarif_fixes(json, subject->outcome, finding);
    add_properties(json, shown);
    json_end_object(json);
}

void sarif_passes(struct json_writer *json, const struct sarif_subject *subject)
{
    const struct outcome *outcome = subject->outcome;
    for (size_t i = 0; i < rules_count; i++) {
        const struct rule_answer *answer = &outcome->answers[i];
        if (answer->verdict == RULE_FAIL)
            continue;
        struct finding none = {.code = answer->rule->code,
                               .rva = NO_RVA,
                               .file_offset = NO_FILE_OFFSET,
                               .message = answer->reason,
                               .baseline = subject->settings->has_baseline ? BASELINE_UNCHANGED
                                                                           : BASELINE_NOT_COMPARED};
        json_begin_object(json, NULL);
        add_rule(json, none.code);
        json_text(json, "kind", answer->verdict == RULE_PASS ? "pass" : "notApplicable");
        json_text(json, "level", "none");
        add_message(json, subject, &none);
        sarif_locations(json, subject, &none);
        add_baseline_state(json, subject, &none);
        add_suppressions(json, &none);
        json_end_object(json);
    }
}
