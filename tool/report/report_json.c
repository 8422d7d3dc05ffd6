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

static const char *verdict_word(enum rule_verdict verdict)
{
    return verdict == RULE_PASS ? "pass" : verdict == RULE_FAIL ? "fail" : "not_applicable";
}

static void add_rules(struct json_tree *tree, cJSON *image, const struct outcome *outcome)
{
    cJSON *rules = json_array(tree, image, "rules");
    for (size_t i = 0; outcome->judged && i < rules_count; i++) {
        const struct rule_answer *answer = &outcome->answers[i];
        cJSON *object = json_object(tree, rules, NULL);
        json_text(tree, object, "code", json_code(tree->arena, answer->rule->code));
        json_text(tree, object, "name", answer->rule->name);
        json_text(tree, object, "verdict", verdict_word(answer->verdict));
        json_text(tree, object, "reason", answer->reason);
    }
}

static const char *change_word(enum change_kind kind)
{
    switch (kind) {
    case CHANGE_SECTION_CHARACTERISTICS:
        return "section-characteristics";
    case CHANGE_DROP_SIGNATURE:
        return "drop-signature";
    case CHANGE_CHECKSUM:
        break;
    }
    return "checksum";
}

static void add_changes(struct json_tree *tree, cJSON *image, const struct outcome *outcome)
{
    cJSON *changes = json_array(tree, image, "changes");
    for (size_t i = 0; outcome->has_plan && i < outcome->plan.change_count; i++) {
        const struct change *change = &outcome->plan.changes[i];
        cJSON *object = json_object(tree, changes, NULL);
        json_text(tree, object, "what", change_word(change->kind));
        json_text(tree, object, "rule", change->rule == 0 ? NULL : json_code(tree->arena, change->rule));
        json_text(tree, object, "section", change->section);
        json_text(tree, object, "field", change->field);
        json_number(tree, object, "file_offset", change->file_offset);
        json_number(tree, object, "width", change->width_nbytes);
        json_hex(tree, object, "old", change->old_value, change->width_nbytes);
        uint64_t new_value;
        if (change_new_value(outcome, change, &new_value))
            json_hex(tree, object, "new", new_value, change->width_nbytes);
        else
            json_null(tree, object, "new");
        json_text(tree, object, "why", change->why);
        json_text(tree, object, "assurance", change->assurance == ASSURANCE_PROVED ? "proved" : "assumed");
        json_text(tree, object, "proof", change->proof);
    }
}

void report_json_image(struct text *text, const struct outcome *outcome, bool is_first)
{
    struct json_tree tree = {.arena = text->arena};
    cJSON *image = json_root(&tree);
    json_image_head(&tree, image, outcome);
    json_text(&tree, image, "target", target_name(outcome->target));
    json_bool(&tree, image, "written", outcome->wrote);
    json_text(&tree, image, "output", outcome->wrote ? outcome->output_path : NULL);
    json_text(&tree, image, "remark", outcome->remark);
    add_rules(&tree, image, outcome);
    json_all_findings(&tree, json_array(&tree, image, "findings"), outcome);
    add_changes(&tree, image, outcome);
    if (outcome->has_verdict)
        json_verdict(&tree, json_object(&tree, image, "verification"), &outcome->verdict);
    if (outcome->has_remaining)
        json_findings(&tree, json_array(&tree, image, "remaining_findings"), &outcome->remaining);
    if (!is_first)
        text_addz(text, ",\n");
    json_print(&tree, text);
}
