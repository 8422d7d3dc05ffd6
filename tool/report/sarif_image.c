/* sarif_image.c - the fragment of one image.
 * Takes: an outcome.  Gives: chunks (sarif.h).  Must not: know other images. */
#include "base/path_name.h"
#include "io/digest.h"
#include "report/calls_words.h"
#include "report/digits.h"
#include "report/json_parts.h"
#include "report/sarif.h"

void sarif_index(struct json_writer *json, const char *key, enum sarif_stream stream, size_t number)
{
    const char mark = SARIF_INDEX_MARK, letter = (char)('0' + (int)stream);
    json_raw(json, key, "");
    text_add(json->text, &mark, 1);
    text_add(json->text, &letter, 1);
    digits_decimal(json->text, number);
    text_add(json->text, &mark, 1);
}

static struct json_writer begin_chunk(struct text *text, enum sarif_stream stream, unsigned depth)
{
    const char byte = (char)stream;
    text_add(text, &byte, 1);
    return (struct json_writer){.text = text, .depth = depth, .is_first_member = true};
}

static void add_hash(struct json_writer *json, struct span bytes)
{
    uint8_t digest[DIGEST_SHA256_NBYTES];
    if (!digest_parts(DIGEST_SHA256, &bytes, 1, digest))
        return;
    json_begin_object(json, "hashes");
    char chars[2 * DIGEST_SHA256_NBYTES + 1];
    for (size_t i = 0; i < sizeof digest; i++) {
        chars[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        chars[2 * i + 1] = "0123456789abcdef"[digest[i] & 0xF];
    }
    chars[2 * DIGEST_SHA256_NBYTES] = 0;
    json_text(json, "sha-256", chars);
    json_end_object(json);
}

static void add_artifact(struct text *text, const struct outcome *outcome)
{
    struct json_writer json = begin_chunk(text, SARIF_ARTIFACTS, SARIF_ELEMENT_DEPTH);
    json_begin_object(&json, NULL);
    json_begin_object(&json, "location");
    sarif_location_members(&json, outcome->path);
    sarif_index(&json, "index", SARIF_ARTIFACTS, 0);
    json_end_object(&json);
    json_begin_array(&json, "roles");
    json_text(&json, NULL, "analysisTarget");
    json_end_array(&json);
    if (outcome->has_image) {
        if (sarif_fits(outcome->file.bytes.nbytes))
            json_number(&json, "length", outcome->file.bytes.nbytes);
        json_text(&json, "mimeType", "application/vnd.microsoft.portable-executable");
        add_hash(&json, outcome->file.bytes);
    }
    json_begin_object(&json, "properties");
    json_text(&json, "status", outcome_status_name(outcome->status));
    if (outcome->has_image) {
        json_text(&json, "machine", image_machine_name(&outcome->image));
        json_bool(&json, "written", outcome->wrote);
    }
    if (outcome->judged)
        json_calls(&json, "calls", calls_of(outcome));
    if (outcome->remark)
        json_text(&json, "remark", outcome->remark);
    json_end_object(&json);
    json_end_object(&json);
}

static void add_addresses(struct text *text, const struct outcome *outcome)
{
    struct json_writer json = begin_chunk(text, SARIF_ADDRESSES, SARIF_ELEMENT_DEPTH);
    const struct image *image = &outcome->image;
    const char *name = path_file_name(outcome->path);
    json_begin_object(&json, NULL);
    json_text(&json, "kind", "module");
    json_text(&json, "name", name);
    json_text(&json, "fullyQualifiedName", name);
    if (sarif_fits(image->image_base_va))
        json_number(&json, "absoluteAddress", image->image_base_va);
    if (sarif_fits(image->image_nbytes))
        json_number(&json, "length", image->image_nbytes);
    json_begin_object(&json, "properties");
    json_hex(&json, "imageBase", image->image_base_va, image->is_64 ? 8 : 4);
    json_end_object(&json);
    json_end_object(&json);
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        json_begin_object(&json, NULL);
        json_text(&json, "kind", "section");
        json_text(&json, "name", section->name);
        json_text(&json, "fullyQualifiedName", arena_printf(text->arena, "%s!%s", name, section->name));
        if (sarif_fits(section->rva)) {
            json_number(&json, "relativeAddress", section->rva);
            json_number(&json, "offsetFromParent", section->rva);
        }
        if (sarif_fits(section->memory_nbytes))
            json_number(&json, "length", section->memory_nbytes);
        sarif_index(&json, "parentIndex", SARIF_ADDRESSES, 0);
        json_end_object(&json);
    }
}

static void add_notification(struct json_writer *json, const struct sarif_subject *subject,
                             const struct finding *finding)
{
    json_begin_object(json, NULL);
    json_begin_object(json, "descriptor");
    json_code(json, "id", (unsigned)finding->code);
    json_number(json, "index", sarif_descriptor_index(finding->code));
    json_end_object(json);
    json_text(json, "level", finding_level_name(finding->level));
    json_begin_object(json, "message");
    json_text(json, "text", finding->message);
    json_end_object(json);
    json_begin_array(json, "locations");
    json_begin_object(json, NULL);
    sarif_binary_place(json, subject, NULL);
    json_end_object(json);
    json_end_array(json);
    json_end_object(json);
}

/* Which list of the outcome holds the finding, and its fingerprint. */
struct fingerprints {
    const struct finding_list *lists[4];
    const struct fingerprint *of[4];
};

static const char *fingerprint_of(struct fingerprints *known, const struct outcome *outcome,
                                  const struct finding *finding, struct arena *arena)
{
    for (size_t i = 0; i < 4; i++) {
        const struct finding_list *list = known->lists[i];
        if (!list || finding < list->items || finding >= list->items + list->count)
            continue;
        if (!known->of[i])
            known->of[i] =
                fingerprints_of(list, outcome->path, outcome->has_image ? &outcome->image : NULL, arena);
        return known->of[i] ? known->of[i][finding - list->items].chars : "";
    }
    return "";
}

/* Counts what will be results. */
static size_t result_count(const struct outcome *outcome)
{
    struct shown_cursor cursor = {0};
    struct shown_finding shown;
    size_t count = 0;
    while (shown_next(outcome, &cursor, &shown))
        count += !sarif_is_notification(shown.finding->code);
    return count;
}

void sarif_image(struct text *text, const struct outcome *outcome, const struct report_settings *settings)
{
    struct shown_cursor cursor = {0};
    struct shown_finding shown;
    size_t results = result_count(outcome);
    struct sarif_subject subject = {outcome, settings, results != 0 && outcome->has_image};
    struct fingerprints fingerprints = {.lists = {&outcome->problems,
                                                  outcome->has_image ? &outcome->image.notes : NULL,
                                                  &outcome->findings, &outcome->remaining}};
    add_artifact(text, outcome);
    if (subject.has_addresses)
        add_addresses(text, outcome);
    while (shown_next(outcome, &cursor, &shown)) {
        if (sarif_is_notification(shown.finding->code)) {
            struct json_writer json = begin_chunk(text, SARIF_NOTIFICATIONS, SARIF_NOTIFICATION_DEPTH);
            add_notification(&json, &subject, shown.finding);
        } else {
            struct json_writer json = begin_chunk(text, SARIF_RESULTS, SARIF_ELEMENT_DEPTH);
            sarif_result(&json, &subject, &shown,
                         fingerprint_of(&fingerprints, outcome, shown.finding, text->arena));
        }
    }
    if (settings->with_passes && outcome->judged) {
        struct json_writer json = begin_chunk(text, SARIF_RESULTS, SARIF_ELEMENT_DEPTH);
        sarif_passes(&json, &subject);
    }
}
