/* json_parts.c - image heads, findings and verdicts as JSON.
 * Takes: outcomes and their parts.  Gives: JSON values.  Must not: decide anything. */
#include "report/json_parts.h"

static const char *role_word(enum image_role role)
{
    return role == ROLE_KERNEL ? "kernel" : role == ROLE_USER ? "user" : "firmware";
}

void json_image_head(struct json_tree *tree, cJSON *image, const struct outcome *outcome)
{
    const struct image *model = outcome->has_image ? &outcome->image : NULL;
    json_text(tree, image, "path", outcome->path);
    json_text(tree, image, "machine", model ? image_machine_name(model) : NULL);
    json_text(tree, image, "subsystem", model ? image_subsystem_name(model) : NULL);
    json_text(tree, image, "role", model ? role_word(model->role) : NULL);
    json_text(tree, image, "status", outcome_status_name(outcome->status));
}

const char *json_code(struct arena *arena, enum finding_code code)
{
    return arena_printf(arena, "HVCI%04u", (unsigned)code);
}

static void add_finding(struct json_tree *tree, cJSON *array, const struct finding *finding)
{
    if (finding->level == LEVEL_OFF)
        return;
    cJSON *object = json_object(tree, array, NULL);
    json_text(tree, object, "code", json_code(tree->arena, finding->code));
    json_text(tree, object, "level", finding_level_name(finding->level));
    json_text(tree, object, "section", finding->section);
    json_number_or_null(tree, object, "rva", finding->rva, NO_RVA);
    json_number_or_null(tree, object, "file_offset", finding->file_offset, NO_FILE_OFFSET);
    json_number(tree, object, "count", finding->place_count);
    json_text(tree, object, "message", finding->message);
    cJSON *evidence = json_array(tree, object, "evidence");
    for (size_t i = 0; i < finding->evidence_count; i++)
        json_text(tree, evidence, NULL, finding->evidence[i]);
    json_text(tree, object, "windows", finding->windows);
    json_text(tree, object, "cure", finding->cure);
}

void json_findings(struct json_tree *tree, cJSON *array, const struct finding_list *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        add_finding(tree, array, &findings->items[i]);
}

void json_all_findings(struct json_tree *tree, cJSON *array, const struct outcome *outcome)
{
    json_findings(tree, array, &outcome->problems);
    if (outcome->has_image)
        json_findings(tree, array, &outcome->image.notes);
    json_findings(tree, array, &outcome->findings);
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

void json_verdict(struct json_tree *tree, cJSON *object, const struct verify_verdict *verdict)
{
    json_text(tree, object, "result", result_word(verdict->result));
    cJSON *differences = json_array(tree, object, "differences");
    for (size_t i = 0; i < verdict->difference_count; i++) {
        const struct verify_difference *difference = &verdict->differences[i];
        cJSON *item = json_object(tree, differences, NULL);
        json_text(tree, item, "field", difference->field);
        json_number(tree, item, "file_offset", difference->file_offset);
        json_number(tree, item, "width", difference->width_nbytes);
        json_hex(tree, item, "old", difference->old_value, difference->width_nbytes);
        json_hex(tree, item, "new", difference->new_value, difference->width_nbytes);
        json_text(tree, item, "why_allowed", difference->why_allowed);
        json_text(tree, item, "assurance", difference->assumed ? "assumed" : "proved");
    }
    if (verdict->result != VERIFY_REFUTED && verdict->result != VERIFY_UNREADABLE) {
        json_null(tree, object, "counter_example");
        return;
    }
    cJSON *example = json_object(tree, object, "counter_example");
    json_text(tree, example, "reason", verdict->reason);
    json_text(tree, example, "file", verdict->in_old ? "old" : "new");
    json_number_or_null(tree, example, "file_offset", verdict->file_offset, UINT64_MAX);
    json_number_or_null(tree, example, "rva", verdict->rva, UINT32_MAX);
}
