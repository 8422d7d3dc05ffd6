/* json_parts.c - image heads, findings and verdicts as JSON.
 * Takes: outcomes and their parts.  Gives: JSON members and elements.  Must not: decide anything. */
#include "report/json_parts.h"

static const char *role_word(enum image_role role)
{
    return role == ROLE_KERNEL ? "kernel" : role == ROLE_USER ? "user" : "firmware";
}

void json_image_head(struct json_writer *json, const struct outcome *outcome)
{
    const struct image *model = outcome->has_image ? &outcome->image : NULL;
    json_text(json, "path", outcome->path);
    json_text(json, "machine", model ? image_machine_name(model) : NULL);
    json_text(json, "subsystem", model ? image_subsystem_name(model) : NULL);
    json_text(json, "role", model ? role_word(model->role) : NULL);
    json_text(json, "status", outcome_status_name(outcome->status));
}

void json_call(struct json_writer *json, const struct finding_call *call)
{
    json_begin_object(json, "call");
    json_text(json, "verdict", call->verdict);
    json_text(json, "api", call->api);
    json_text(json, "function", call->function);
    json_number(json, "function_rva", call->function_rva);
    json_text(json, "argument", call->argument);
    json_text(json, "values", call->values);
    json_text(json, "reason", call->reason);
    json_text(json, "tag", call->tag);
    json_end_object(json);
}

static void add_finding(struct json_writer *json, const struct finding *finding)
{
    if (finding->level == LEVEL_OFF)
        return;
    json_begin_object(json, NULL);
    json_code(json, "code", (unsigned)finding->code);
    json_text(json, "level", finding_level_name(finding->level));
    json_text(json, "section", finding->section);
    json_number_or_null(json, "rva", finding->rva, NO_RVA);
    json_number_or_null(json, "file_offset", finding->file_offset, NO_FILE_OFFSET);
    json_number(json, "count", finding->place_count);
    json_text(json, "message", finding->message);
    json_begin_array(json, "evidence");
    for (size_t i = 0; i < finding->evidence_count; i++)
        json_text(json, NULL, finding->evidence[i]);
    json_end_array(json);
    json_text(json, "windows", finding->windows);
    json_text(json, "cure", finding->cure);
    if (finding->call)
        json_call(json, finding->call);
    if (finding->baseline != BASELINE_NOT_COMPARED) {
        static const char *const words[] = {"", "new", "unchanged", "updated"};
        json_text(json, "baseline", words[finding->baseline]);
        json_bool(json, "known", finding->is_known);
    }
    if (finding->waiver) {
        json_begin_object(json, "waiver");
        json_text(json, "name", finding->waiver->name);
        json_text(json, "reason", finding->waiver->reason);
        json_text(json, "owner", finding->waiver->owner);
        json_text(json, "expires", finding->waiver->expires);
        json_end_object(json);
    }
    json_end_object(json);
}

void json_findings(struct json_writer *json, const struct finding_list *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        add_finding(json, &findings->items[i]);
}

void json_all_findings(struct json_writer *json, const struct outcome *outcome)
{
    json_findings(json, &outcome->problems);
    if (outcome->has_image)
        json_findings(json, &outcome->image.notes);
    json_findings(json, &outcome->findings);
}

void json_calls(struct json_writer *json, const char *key, const struct call_judgement *calls)
{
    static const char *const keys[SITE_VERDICT_COUNT] = {"executable", "no_execute", "depends", "unknown"};
    bool is_judged = calls->state == CALLS_JUDGED || calls->state == CALLS_NONE;
    json_begin_object(json, key);
    json_bool(json, "judged", is_judged);
    json_text(json, "reason", is_judged ? NULL : calls->reason);
    for (size_t i = 0; is_judged && i < SITE_VERDICT_COUNT; i++)
        json_number(json, keys[i], calls->counts[i]);
    json_end_object(json);
}

static const char *result_word(enum verify_result result)
{
    switch (result) {
    case VERIFY_PROVED:
        return "proved";
    case VERIFY_PROVED_WITH_ASSUMPTIONS:
        return "assumed";
    case VERIFY_IDENTICAL:
        return "identical";
    case VERIFY_REFUTED:
        return "refuted";
    case VERIFY_UNREADABLE:
        break;
    }
    return "unreadable";
}

void json_verdict(struct json_writer *json, const struct verify_verdict *verdict)
{
    json_text(json, "result", result_word(verdict->result));
    json_begin_array(json, "differences");
    for (size_t i = 0; i < verdict->difference_count; i++) {
        const struct verify_difference *difference = &verdict->differences[i];
        json_begin_object(json, NULL);
        json_text(json, "field", difference->field);
        json_number(json, "file_offset", difference->file_offset);
        json_number(json, "width", difference->width_nbytes);
        json_hex(json, "old", difference->old_value, difference->width_nbytes);
        json_hex(json, "new", difference->new_value, difference->width_nbytes);
        json_text(json, "why_allowed", difference->why_allowed);
        json_text(json, "assurance", difference->assumed ? "assumed" : "proved");
        json_end_object(json);
    }
    json_end_array(json);
    if (verdict->still_broken)
        json_text(json, "still_broken", verdict->still_broken);
    else
        json_null(json, "still_broken");
    if (verdict->result != VERIFY_REFUTED && verdict->result != VERIFY_UNREADABLE) {
        json_null(json, "counter_example");
        return;
    }
    json_begin_object(json, "counter_example");
    json_text(json, "reason", verdict->reason);
    json_text(json, "file", verdict->in_old ? "old" : "new");
    json_number_or_null(json, "file_offset", verdict->file_offset, UINT64_MAX);
    json_number_or_null(json, "rva", verdict->rva, UINT32_MAX);
    json_end_object(json);
}
