/* report_undo.c - report_undo.h: what `show` says of a side file.
 * Takes: records.  Gives: text and JSON.  Must not: decide anything, or trust the texts of a record. */
#include "report/report_undo.h"

#include "report/digest_words.h"
#include "report/json_writer.h"
#include "report/layout.h"
#include "report/safe_text.h"

static void add_image(struct text *text, const char *label, const struct undo_image *image)
{
    layout_labelled(text, label,
                    arena_printf(text->arena, "%u bytes, SHA-256 %s", (unsigned)image->nbytes,
                                 digest_words(text->arena, image->sha256)));
}

static void add_facts(struct text *text, const char *label, const struct undo_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        layout_labelled(text, label, facts->items[i].what);
        layout_labelled(text, "  why", facts->items[i].why);
    }
}

void report_text_undo(struct text *text, const char *path, const struct undo_file *file, size_t file_nbytes)
{
    size_t start_nbytes = text->nbytes, line_start = start_nbytes;
    safe_add_path(text, path);
    text_addz(text, ": undo file of ");
    layout_count(text, file->record_count, "repair", "repairs");
    text_printf(text, ", %zu bytes", file_nbytes);
    safe_end_line(text, line_start);
    for (size_t i = file->record_count; i-- > 0;) {
        const struct undo_record *record = &file->records[i];
        add_image(text, "repaired", &record->repaired);
        add_facts(text, "cured", &record->description.cured);
        add_facts(text, "change", &record->description.changes);
        layout_labelled(text, "image", record->description.image_name);
        layout_labelled(text, "by",
                        record->description.tool_version
                            ? arena_printf(text->arena, "hvcifix %s", record->description.tool_version)
                            : NULL);
        add_image(text, i == 0 ? "original" : "before", &record->original);
    }
    text_cut_if_exhausted(text, start_nbytes);
}

static void add_json_image(struct json_writer *json, const char *key, const struct undo_image *image)
{
    json_begin_object(json, key);
    json_number(json, "size", image->nbytes);
    json_text(json, "sha256", digest_words(json->text->arena, image->sha256));
    json_end_object(json);
}

static void add_json_facts(struct json_writer *json, const char *key, const struct undo_facts *facts)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < facts->count; i++) {
        json_begin_object(json, NULL);
        json_text(json, "what", facts->items[i].what);
        json_text(json, "why", facts->items[i].why);
        json_end_object(json);
    }
    json_end_array(json);
}

void report_json_undo(struct text *text, const char *path, const struct undo_file *file, size_t file_nbytes)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    json_begin_root(&json, text);
    json_text(&json, "path", path);
    json_begin_object(&json, "undo");
    json_number(&json, "size", file_nbytes);
    json_begin_array(&json, "records");
    for (size_t i = 0; i < file->record_count; i++) {
        const struct undo_record *record = &file->records[i];
        json_begin_object(&json, NULL);
        json_text(&json, "tool_version", record->description.tool_version);
        json_text(&json, "image", record->description.image_name);
        add_json_image(&json, "original", &record->original);
        add_json_image(&json, "repaired", &record->repaired);
        add_json_facts(&json, "cured", &record->description.cured);
        add_json_facts(&json, "changes", &record->description.changes);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    json_end_object(&json);
    text_cut_if_exhausted(text, start_nbytes);
}
