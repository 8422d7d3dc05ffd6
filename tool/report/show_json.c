/* show_json.c - pages, regions and references as members of a JSON object.
 * Takes: an outcome.  Gives: text.  Must not: judge. The lists can be long, see json_list.h. */
#include "report/json_list.h"
#include "report/json_writer.h"
#include "report/show_lists.h"

static void add_page_run(struct text *text, const struct page_map *map, const struct page_run *run)
{
    char rights[5];
    page_rights_words(run->rights, rights);
    json_list_number(text, "rva", (uint64_t)run->first_page * PAGE_NBYTES);
    text_addz(text, ", ");
    json_list_number(text, "pages", run->page_count);
    text_addz(text, ", ");
    json_list_word(text, "rights", rights);
    text_addz(text, ", \"sections\": [");
    for (uint32_t i = 0; i < run->section_count; i++) {
        text_addz(text, i == 0 ? "" : ", ");
        json_add_quoted(text, map->outcome->image.sections_by_rva[run->first_section + i]->name);
    }
    text_addz(text, "], \"contents\": [");
    const char *comma = "";
    for (unsigned content = 0; content < CONTENT_COUNT; content++) {
        if (!(run->contents & CONTENT_BIT(content)))
            continue;
        text_printf(text, "%s\"%s\"", comma, page_content_name(content));
        comma = ", ";
    }
    text_addz(text, "], \"rules\": [");
    comma = "";
    for (size_t i = 0; i < map->code_count; i++) {
        if (!(run->codes & (UINT32_C(1) << i)))
            continue;
        text_printf(text, "%s\"HVCI%04u\"", comma, (unsigned)map->codes[i]);
        comma = ", ";
    }
    text_addz(text, "]}");
}

void show_pages_json(struct text *text, const struct outcome *outcome)
{
    struct page_map map;
    if (!page_map_make(outcome, text->arena, &map))
        return;
    text_addz(text, "\"pages\": [");
    for (size_t i = 0; i < map.run_count; i++) {
        json_list_element(text, i);
        add_page_run(text, &map, &map.runs[i]);
    }
    text_addz(text, "]");
}

static void add_file_regions(struct text *text, const struct image *image)
{
    text_addz(text, "\"regions\": [");
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        json_list_element(text, i);
        json_list_number(text, "file_offset", region->foff);
        text_addz(text, ", ");
        json_list_number(text, "bytes", region->nbytes);
        text_addz(text, ", ");
        json_list_word(text, "kind", region_kind_name(region->kind));
        text_addz(text, ", ");
        json_list_name_or_null(text, "section",
                               region->section < image->section_count ? image->sections[region->section].name
                                                                      : NULL);
        text_addz(text, "}");
    }
    text_addz(text, "],\n\"overlaps\": [");
    for (size_t i = 0; i < image->overlap_count; i++) {
        const struct region_overlap *overlap = &image->overlaps[i];
        json_list_element(text, i);
        json_list_number(text, "file_offset", overlap->foff);
        text_addz(text, ", ");
        json_list_number(text, "bytes", overlap->nbytes);
        text_addz(text, ", ");
        json_list_word(text, "kind", region_kind_name(overlap->winner));
        text_addz(text, ", ");
        json_list_word(text, "also", region_kind_name(overlap->loser));
        text_addz(text, "}");
    }
    text_addz(text, "]");
}

static void add_extents(struct text *text, const struct image *image, const struct refset *refs)
{
    text_addz(text, "\"tables\": [");
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        const struct section *section = image_section_at_rva(image, extent->rva);
        json_list_element(text, i);
        json_list_number(text, "rva", extent->rva);
        text_addz(text, ", ");
        json_list_number(text, "bytes", extent->nbytes);
        text_addz(text, ", ");
        json_list_word(text, "kind", extent_kind_name((enum extent_kind)extent->kind));
        text_addz(text, ", ");
        json_list_name_or_null(text, "section", section ? section->name : NULL);
        text_addz(text, ", ");
        json_list_word(text, "source", ref_source_name((enum ref_source)extent->source));
        text_addz(text, "}");
    }
    text_addz(text, "]");
}

static void add_code_section(struct text *text, const struct image *image, const struct code_section *section)
{
    uint64_t counts[5];
    class_counts_of(section, counts);
    json_list_name_or_null(text, "section",
                           section->section < image->section_count ? image->sections[section->section].name
                                                                   : NULL);
    text_addz(text, ", ");
    json_list_number(text, "rva", section->rva);
    text_addz(text, ", ");
    json_list_number(text, "bytes", section->nbytes);
    text_addz(text, ", ");
    json_list_number(text, "instruction_bytes", counts[BYTE_INSTRUCTION] + counts[BYTE_INSTRUCTION_TAIL]);
    text_addz(text, ", ");
    json_list_number(text, "data_bytes", counts[BYTE_DATA]);
    text_addz(text, ", ");
    json_list_number(text, "padding_bytes", counts[BYTE_PADDING]);
    text_addz(text, ", ");
    json_list_number(text, "unknown_bytes", counts[BYTE_UNKNOWN]);
    text_addz(text, ", \"unknown\": [");
    struct class_run run;
    const char *comma = "";
    for (uint32_t at = 0; class_run_next(section, BYTE_UNKNOWN, &at, &run); comma = ", ") {
        text_addz(text, comma);
        text_addz(text, "{");
        json_list_number(text, "rva", run.rva);
        text_addz(text, ", ");
        json_list_number(text, "bytes", run.nbytes);
        text_addz(text, "}");
    }
    text_addz(text, "]}");
}

static void add_code(struct text *text, const struct outcome *outcome)
{
    const struct code_map *code = &outcome->code;
    bool is_decoded = outcome->has_code && code->decoded;
    text_printf(text, "\"code\": {\"decoded\": %s, ", is_decoded ? "true" : "false");
    json_list_name_or_null(text, "reason",
                           outcome->has_code && !is_decoded ? code->not_decoded_reason : NULL);
    text_addz(text, ", ");
    json_list_number(text, "instructions", is_decoded ? code->instruction_count : 0);
    text_addz(text, ", ");
    json_list_number(text, "functions", is_decoded ? code->function_count : 0);
    text_addz(text, ", \"sections\": [");
    for (size_t i = 0; is_decoded && i < code->section_count; i++) {
        json_list_element(text, i);
        add_code_section(text, &outcome->image, &code->sections[i]);
    }
    text_addz(text, "]}");
}

static void add_unread(struct text *text, const struct refset *refs)
{
    text_addz(text, "\"unread\": [");
    for (size_t i = 0; i < refs->problem_count; i++) {
        const struct ref_problem *problem = &refs->problems[i];
        json_list_element(text, i);
        json_list_word(text, "source", ref_source_name((enum ref_source)problem->source));
        text_addz(text, ", ");
        json_list_number_or_null(text, "rva", problem->rva, NO_RVA);
        text_addz(text, ", ");
        json_list_number_or_null(text, "file_offset", problem->file_offset, NO_FILE_OFFSET);
        text_addz(text, ", ");
        json_list_name_or_null(text, "reason", problem->reason);
        text_addz(text, "}");
    }
    text_addz(text, "]");
}

void show_regions_json(struct text *text, const struct outcome *outcome)
{
    add_file_regions(text, &outcome->image);
    text_addz(text, ",\n");
    add_extents(text, &outcome->image, &outcome->refs);
    text_addz(text, ",\n");
    add_code(text, outcome);
    text_addz(text, ",\n");
    add_unread(text, &outcome->refs);
}

static void add_flags(struct text *text, uint8_t flags)
{
    static const struct {
        uint8_t flag;
        const char *word;
    } words[] = {
        {REF_FLAG_RELOCATED, "\"relocated\""},
        {REF_FLAG_CODE_TARGET, "\"code_target\""},
        {REF_FLAG_LOADER_WRITES, "\"loader_writes\""},
    };
    text_addz(text, "\"flags\": [");
    const char *comma = "";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!(flags & words[i].flag))
            continue;
        text_addz(text, comma);
        text_addz(text, words[i].word);
        comma = ", ";
    }
    text_addz(text, "]");
}

/* quoted_names: the name of each section as a JSON string, in the order of the headers. */
static void add_reference(struct text *text, const struct image *image, const char *const *quoted_names,
                          const struct ref *ref)
{
    uint32_t offset;
    const struct section *section = reference_section(image, ref, &offset);
    json_list_number_or_null(text, "rva", ref->site_rva, NO_RVA);
    text_addz(text, ", ");
    json_list_number(text, "file_offset", ref->site_foff);
    text_addz(text, ", ");
    json_list_word(text, "source", ref_source_name((enum ref_source)ref->source));
    text_addz(text, ", ");
    json_list_word(text, "encoding", ref_encoding_name((enum ref_encoding)ref->encoding));
    text_addz(text, ", ");
    json_list_number(text, "width", ref->width_nbytes);
    text_addz(text, ", ");
    json_list_number(text, "target", ref->target);
    text_addz(text, ", \"section\": ");
    text_addz(text, section ? quoted_names[section->index] : "null");
    text_addz(text, ", ");
    json_list_number_or_null(text, "offset", section ? offset : UINT64_MAX, UINT64_MAX);
    text_addz(text, ", ");
    json_list_word(text, "state", ref_state_name((enum ref_state)ref->state));
    text_addz(text, ", ");
    json_list_word(text, "access", ref_access_name((enum ref_access)ref->access));
    text_addz(text, ", ");
    json_list_number(text, "detail", ref->detail);
    text_addz(text, ", ");
    add_flags(text, ref->flags);
    text_addz(text, "}");
}

void show_references_json(struct text *text, const struct outcome *outcome)
{
    const struct image *image = &outcome->image;
    const char **quoted_names =
        (const char **)arena_array(text->arena, image->section_count, sizeof *quoted_names);
    if (!quoted_names)
        return;
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct text quoted = {.arena = text->arena};
        json_add_quoted(&quoted, image->sections[i].name);
        quoted_names[i] = quoted.chars ? quoted.chars : "null";
    }
    text_addz(text, "\"references\": [");
    for (size_t i = 0; i < outcome->refs.ref_count; i++) {
        json_list_element(text, i);
        add_reference(text, image, quoted_names, &outcome->refs.refs[i]);
    }
    text_addz(text, "],\n");
    add_unread(text, &outcome->refs);
}
