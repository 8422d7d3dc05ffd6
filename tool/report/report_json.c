/* report_json.c - one image as JSON: what was judged, found, changed and verified.
 * Takes: outcomes.  Gives: {"images":[...]} as docs/report.schema.json says.  Must not: decide anything. */
#include "report/json_parts.h"
#include "report/report.h"
#include "report/text_changes.h"

void report_json_begin(struct text *text)
{
    text_addz(text, "{\"images\": [\n");
}

void report_json_end(struct text *text)
{
    text_addz(text, "\n]}\n");
}

void report_json_end_early(struct text *text)
{
    text_addz(text, "\n],\n\"interrupted\": true}\n");
}

static const char *verdict_word(enum rule_verdict verdict)
{
    return verdict == RULE_PASS ? "pass" : verdict == RULE_FAIL ? "fail" : "not_applicable";
}

static void add_rules(struct json_writer *json, const struct outcome *outcome)
{
    json_begin_array(json, "rules");
    for (size_t i = 0; outcome->judged && i < rules_count; i++) {
        const struct rule_answer *answer = &outcome->answers[i];
        if (answer->verdict == RULE_NOT_ASKED)
            continue;
        json_begin_object(json, NULL);
        json_code(json, "code", (unsigned)answer->rule->code);
        json_text(json, "name", answer->rule->name);
        json_text(json, "verdict", verdict_word(answer->verdict));
        json_text(json, "reason", answer->reason);
        json_end_object(json);
    }
    json_end_array(json);
}

static const char *change_word(enum change_kind kind)
{
    switch (kind) {
    case CHANGE_SECTION_CHARACTERISTICS:
        return "section-characteristics";
    case CHANGE_HEADER_FLAG:
        return "header-flag";
    case CHANGE_NX:
        return "no-execute-calls";
    case CHANGE_LAYOUT:
        return "layout";
    case CHANGE_DROP_SIGNATURE:
        return "drop-signature";
    case CHANGE_CHECKSUM:
        break;
    }
    return "checksum";
}

static void add_changes(struct json_writer *json, const struct outcome *outcome)
{
    json_begin_array(json, "changes");
    for (size_t i = 0; outcome->has_plan && i < outcome->plan.change_count; i++) {
        const struct change *change = &outcome->plan.changes[i];
        json_begin_object(json, NULL);
        json_text(json, "what", change_word(change->kind));
        if (change->rule == 0)
            json_null(json, "rule");
        else
            json_code(json, "rule", (unsigned)change->rule);
        json_text(json, "section", change->section);
        json_text(json, "field", change->field);
        json_number(json, "file_offset", change->file_offset);
        json_number(json, "width", change->width_nbytes);
        bool is_field = change->width_nbytes != 0; /* a layout is more than one field */
        if (is_field)
            json_hex(json, "old", change->old_value, change->width_nbytes);
        else
            json_null(json, "old");
        uint64_t new_value;
        if (is_field && change_new_value(outcome, change, &new_value))
            json_hex(json, "new", new_value, change->width_nbytes);
        else
            json_null(json, "new");
        json_text(json, "why", change->why);
        json_text(json, "assurance", change->assurance == ASSURANCE_PROVED ? "proved" : "assumed");
        json_text(json, "proof", change->proof);
        json_end_object(json);
    }
    json_end_array(json);
}

static const char *enforced_word(enum enforce_result result)
{
    static const char *const words[] = {"",           "passed",       "repaired",    "rejected",
                                        "would-pass", "would-repair", "would-reject"};
    return words[result];
}

void report_json_image(struct text *text, const struct outcome *outcome, bool is_first)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    if (!is_first)
        text_addz(text, ",\n");
    json_begin_root(&json, text);
    json_image_head(&json, outcome);
    json_text(&json, "target", target_name(outcome->target));
    json_bool(&json, "written", outcome->wrote);
    json_text(&json, "output", outcome->wrote ? outcome->output_path : NULL);
    json_text(&json, "undo", outcome->undo.is_left ? outcome->undo.path : NULL);
    json_text(&json, "remark", outcome->remark);
    if (outcome->enforced != NOT_ENFORCED) {
        json_begin_object(&json, "enforced");
        json_text(&json, "result", enforced_word(outcome->enforced));
        json_text(&json, "rejected_to", outcome->rejected_path);
        json_bool(&json, "deleted", outcome->was_removed);
        json_end_object(&json);
    }
    add_rules(&json, outcome);
    if (outcome->judged)
        json_calls(&json, "calls", &outcome->asked);
    json_begin_array(&json, "findings");
    json_all_findings(&json, outcome);
    json_end_array(&json);
    add_changes(&json, outcome);
    if (outcome->has_verdict) {
        json_begin_object(&json, "verification");
        json_verdict(&json, &outcome->verdict);
        json_end_object(&json);
    }
    if (outcome->has_remaining) {
        json_begin_array(&json, "remaining_findings");
        json_findings(&json, &outcome->remaining);
        json_end_array(&json);
        if (outcome->judged)
            json_calls(&json, "remaining_calls", &outcome->asked_after);
    }
    json_end_object(&json);
    text_cut_if_exhausted(text, start_nbytes);
}
