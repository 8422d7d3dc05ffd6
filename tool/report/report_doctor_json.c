/* report_doctor_json.c - the doctor's page as JSON.
 * Takes: what was examined, and steps.  Gives: {"doctor": {...}}.  Must not: decide anything. */
#include "report/doctor_words.h"
#include "report/json_writer.h"
#include "report/report_doctor.h"

static void add_texts(struct json_writer *json, const char *key, const struct doctor_texts *texts)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < texts->count; i++) {
        json_begin_object(json, NULL);
        json_text(json, "code", texts->items[i].code);
        json_text(json, "level", texts->items[i].code ? finding_level_name(texts->items[i].level) : NULL);
        json_text(json, "text", texts->items[i].words);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_image(struct json_writer *json, const struct doctor_image *image)
{
    static const char *const states[] = {
        [DOCTOR_CLEAN] = "clean",          [DOCTOR_LEFT] = "left-alone", [DOCTOR_FIXABLE] = "fixable",
        [DOCTOR_PARTLY] = "partly",        [DOCTOR_REFUSED] = "refused", [DOCTOR_PACKED] = "packed",
        [DOCTOR_BYSTANDER] = "not-kernel", [DOCTOR_UNREADABLE] = "error"};
    json_begin_object(json, NULL);
    json_text(json, "path", image->path);
    json_text(json, "machine", image->machine);
    json_bool(json, "kernel", image->is_kernel);
    json_bool(json, "signed", image->is_signed);
    json_text(json, "catalog", image->catalog);
    json_text(json, "state", states[image->state]);
    json_bool(json, "nx", image->needs_nx && image->nx_helps);
    json_bool(json, "assumed", image->is_assumed);
    add_texts(json, "findings", &image->findings);
    add_texts(json, "changes", &image->changes);
    add_texts(json, "refusals", &image->refusals);
    add_texts(json, "remaining", &image->remaining);
    json_end_object(json);
}

static void add_names(struct json_writer *json, const char *key, const char *const *names, size_t count)
{
    json_begin_array(json, key);
    for (size_t i = 0; i < count; i++)
        json_text(json, NULL, names[i]);
    json_end_array(json);
}

static void add_steps(struct json_writer *json, const struct doctor_steps *steps)
{
    static const char *const places[] = {"here", "windows", "windows-administrator"};
    json_begin_array(json, "steps");
    for (size_t i = 0; i < steps->count; i++) {
        const struct doctor_step *step = &steps->items[i];
        json_begin_object(json, NULL);
        json_text(json, "title", step->title);
        json_text(json, "about", step->about);
        json_begin_array(json, "commands");
        for (size_t k = 0; k < step->command_count; k++) {
            json_begin_object(json, NULL);
            json_text(json, "where", places[step->commands[k].where]);
            json_text(json, "command", step->commands[k].words);
            json_end_object(json);
        }
        json_end_array(json);
        json_text(json, "after", step->after);
        json_end_object(json);
    }
    json_end_array(json);
}

void report_json_doctor_problem(struct text *text, const struct doctor *doctor)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    json_begin_root(&json, text);
    json_begin_object(&json, "doctor");
    json_text(&json, "path", doctor->path);
    json_begin_object(&json, "problem");
    json_text(&json, "code", arena_printf(text->arena, "HVCI%04u", (unsigned)doctor->problem.code));
    json_text(&json, "message", doctor->problem.message);
    json_text(&json, "cure", doctor->problem.cure);
    json_end_object(&json);
    json_end_object(&json);
    json_end_object(&json);
    text_addz(text, "\n");
    text_cut_if_exhausted(text, start_nbytes);
}

void report_json_doctor(struct text *text, const struct doctor *doctor, const struct doctor_steps *steps,
                        enum code_integrity integrity)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    json_begin_root(&json, text);
    json_begin_object(&json, "doctor");
    json_text(&json, "path", doctor->path);
    json_text(&json, "kind", doctor_kind_words(doctor->kind));
    json_text(&json, "summary", doctor_summary(doctor));
    if (integrity == INTEGRITY_ON || integrity == INTEGRITY_OFF)
        json_bool(&json, "memory_integrity", integrity == INTEGRITY_ON);
    else
        json_null(&json, "memory_integrity");
    add_names(&json, "first", doctor_first, doctor_first_count);
    json_begin_array(&json, "images");
    for (size_t i = 0; i < doctor->image_count; i++)
        add_image(&json, &doctor->images[i]);
    json_end_array(&json);
    json_begin_array(&json, "infs");
    for (size_t i = 0; i < doctor->inf_count; i++)
        json_text(&json, NULL, doctor->infs[i].path);
    json_end_array(&json);
    add_names(&json, "catalogs", doctor->catalogs, doctor->catalog_count);
    add_names(&json, "untouched", doctor_untouched, doctor_untouched_count);
    add_steps(&json, steps);
    json_end_object(&json);
    json_end_object(&json);
    text_addz(text, "\n");
    text_cut_if_exhausted(text, start_nbytes);
}
