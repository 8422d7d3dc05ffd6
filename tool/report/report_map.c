/* report_map.c - where each piece of the old image went, for programs (docs/map.schema.json).
 * Takes: an outcome whose repair was proved.  Gives: JSON.  Must not: decide anything. */
#include "report/json_writer.h"
#include "report/map_names.h"
#include "report/report.h"

static void add_piece(struct json_writer *json, const struct outcome *outcome, const struct piece *piece)
{
    const struct layout *layout = outcome->plan.layout;
    const struct new_section *section =
        piece->kind == PIECE_HEADERS ? NULL : layout_section_at(layout, piece->new_rva);
    json_begin_object(json, NULL);
    json_number(json, "old_rva", piece->old_rva);
    json_number(json, "size", piece->nbytes);
    json_number(json, "new_rva", piece->new_rva);
    json_text(json, "kind", piece_kind_name((enum piece_kind)piece->kind));
    json_text(json, "old_section",
              piece->section != NO_SECTION ? outcome->image.sections[piece->section].name : NULL);
    json_text(json, "new_section", section ? section->name : NULL);
    json_end_object(json);
}

static void add_copies(struct json_writer *json, const struct straddle_repair *repair)
{
    json_begin_array(json, "copied_instructions");
    for (size_t i = 0; repair && i < repair->copy_count; i++) {
        json_begin_object(json, NULL);
        json_number(json, "old_rva", repair->copies[i].old_rva);
        json_number(json, "size", repair->copies[i].nbytes);
        json_number(json, "new_rva", repair->code_rva + repair->copies[i].at);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_stubs(struct json_writer *json, const struct layout *layout, bool is_64)
{
    const struct straddle_repair *repair = layout ? layout->straddles : NULL;
    json_begin_array(json, "start_stubs");
    for (unsigned i = 0; repair && i < repair->stub_count; i++) {
        json_begin_object(json, NULL);
        json_number(json, "new_rva", repair->code_rva + repair->stubs[i].at);
        json_number(json, "size", start_stub_nbytes(is_64));
        json_number(json, "function_old_rva", repair->stubs[i].function_old_rva);
        json_number(json, "function_new_rva", layout_map_rva(layout, repair->stubs[i].function_old_rva));
        json_end_object(json);
    }
    json_end_array(json);
    json_begin_array(json, "relocated_at_start");
    for (size_t i = 0; repair && i < repair->applied_count; i++) {
        json_begin_object(json, NULL);
        json_number(json, "old_rva", repair->applied_rvas[i]);
        json_number(json, "new_rva", layout_map_rva(layout, repair->applied_rvas[i]));
        json_end_object(json);
    }
    json_end_array(json);
}

/* Calls that are led through stubs; RVAs of the new image. */
static void add_nx(struct json_writer *json, const struct nx_plan *nx)
{
    json_begin_array(json, "no_execute_stubs");
    for (size_t i = 0; i < nx->redirect_count; i++) {
        json_begin_object(json, NULL);
        json_text(json, "function", nx->redirects[i].api->name);
        json_number(json, "stub_rva", nx->redirects[i].stub_rva);
        json_number(json, "slot_rva", nx->redirects[i].slot_rva);
        json_begin_array(json, "uses");
        for (size_t k = 0; k < nx->site_count; k++)
            if (nx->sites[k].redirect == i)
                json_number(json, NULL, nx->sites[k].rva);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_side(struct json_writer *json, const char *key, const struct image *image)
{
    json_begin_object(json, key);
    json_hex(json, "image_base", image->image_base_va, 8);
    json_number(json, "image_size", image->image_nbytes);
    json_number(json, "time_stamp", image->time_date_stamp);
    json_end_object(json);
}

/* What the old image and its PDB say of its addresses. */
static void add_names(struct json_writer *json, const struct outcome *outcome, const struct layout *layout)
{
    struct map_names names;
    json_begin_array(json, "names");
    bool is_read = map_names_read(outcome, &names); /* else the arena is exhausted, and says so */
    for (size_t i = 0; is_read && i < names.count; i++) {
        const struct map_name *name = &names.items[i];
        json_begin_object(json, NULL);
        json_text(json, "name", name->text);
        json_text(json, "source", name->source);
        json_number(json, "old_rva", name->rva);
        json_number(json, "new_rva", layout ? layout_map_rva(layout, name->rva) : name->rva);
        json_end_object(json);
    }
    json_end_array(json);
}

void report_json_map(struct text *text, const struct outcome *outcome)
{
    struct json_writer json;
    json_begin_root(&json, text);
    json_text(&json, "image", outcome->path);
    json_text(&json, "output", outcome->output_path);
    const struct layout *layout = outcome->has_plan ? outcome->plan.layout : NULL;
    struct image new_image;
    struct finding error;
    if (!image_read((struct span){outcome->output.bytes, outcome->output.nbytes}, text->arena, &new_image,
                    &error)) {
        text->arena->exhausted = true; /* what was proved can be read */
        return;
    }
    add_side(&json, "old", &outcome->image);
    add_side(&json, "new", &new_image);
    json_begin_array(&json, "pieces");
    for (size_t i = 0; layout && i < layout->piece_count; i++)
        add_piece(&json, outcome, &layout->pieces[i]);
    json_end_array(&json);
    add_copies(&json, layout ? layout->straddles : NULL);
    add_stubs(&json, layout, outcome->image.is_64);
    add_nx(&json, &outcome->nx);
    add_names(&json, outcome, layout);
    json_end_object(&json);
    text_addz(text, "\n");
}
