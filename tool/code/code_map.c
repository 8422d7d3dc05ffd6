/* code_map.c - the code reader's story from top to bottom, and the queries on its result.
 * Takes: image and inventory.  Gives: struct code_map and references of SOURCE_CODE.
 * Must not: decode by itself or know instruction forms. */
#include "code/code_internal.h"
#include "code/literals.h"

#include <stdlib.h>

const char *byte_class_name(enum byte_class byte_class)
{
    switch (byte_class) {
    case BYTE_INSTRUCTION:
        return "instruction";
    case BYTE_INSTRUCTION_TAIL:
        return "instruction tail";
    case BYTE_DATA:
        return "data";
    case BYTE_PADDING:
        return "padding";
    case BYTE_UNKNOWN:
        break;
    }
    return "unknown";
}

const struct code_section *code_section_at(const struct code_map *map, uint32_t rva)
{
    size_t low = 0, high = map->section_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct code_section *section = &map->sections[middle];
        if (rva < section->rva)
            high = middle;
        else if (rva - section->rva >= section->nbytes)
            low = middle + 1;
        else
            return section;
    }
    return NULL;
}

enum byte_class code_class_at(const struct code_map *map, uint32_t rva)
{
    const struct code_section *section = code_section_at(map, rva);
    return section ? (enum byte_class)section->classes[rva - section->rva] : BYTE_UNKNOWN;
}

uint32_t code_instruction_begin(const struct code_map *map, uint32_t rva)
{
    const struct code_section *section = code_section_at(map, rva);
    uint32_t begin = section ? rva - section->rva : 0;
    if (!section || section->classes[begin] != BYTE_INSTRUCTION_TAIL)
        return rva;
    while (begin > 0 && section->classes[begin] == BYTE_INSTRUCTION_TAIL)
        begin--;
    return section->rva + begin;
}

const struct code_function *code_function_at(const struct code_map *map, uint32_t begin_rva)
{
    size_t low = 0, high = map->function_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->functions[middle].begin_rva < begin_rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < map->function_count && map->functions[low].begin_rva == begin_rva ? &map->functions[low]
                                                                                   : NULL;
}

struct reader_section *reader_other_section_at(const struct code_reader *reader, uint32_t rva)
{
    const struct code_section *section = code_section_at(reader->map, rva);
    return section ? &reader->sections[section - reader->map->sections] : NULL;
}

static int compare_sections(const void *a, const void *b)
{
    const struct code_section *x = a, *y = b;
    return x->rva < y->rva ? -1 : x->rva > y->rva;
}

/* Lists the executable sections with file bytes. Sections that share bytes of the file would multiply the
 * work; no linker makes them, so such images are not decoded. */
static bool list_sections(struct code_reader *reader)
{
    const struct image *image = reader->image;
    struct code_map *map = reader->map;
    uint64_t total_nbytes = 0;
    map->sections = arena_array(reader->arena, image->section_count, sizeof *map->sections);
    if (!map->sections)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (!(section->characteristics & SCN_MEM_EXECUTE) || section->file_nbytes == 0 ||
            !range_fits(image->file.nbytes, section->raw_foff, section->file_nbytes))
            continue;
        total_nbytes += section->file_nbytes;
        map->sections[map->section_count++] =
            (struct code_section){.section = i, .rva = section->rva, .nbytes = section->file_nbytes};
    }
    qsort(map->sections, map->section_count, sizeof *map->sections, compare_sections);
    /* Raw data may reach beyond what memory has room for: the next section's bytes win there. */
    for (size_t i = 1; i < map->section_count; i++) {
        uint32_t room_nbytes = map->sections[i].rva - map->sections[i - 1].rva;
        if (map->sections[i - 1].nbytes > room_nbytes)
            map->sections[i - 1].nbytes = room_nbytes;
    }
    if (total_nbytes > image->file.nbytes) {
        map->decoded = false;
        map->not_decoded_reason = "executable sections share bytes of the file";
        map->section_count = 0;
    }
    return true;
}

/* gcc's x64 code has a reference for every 16 bytes, other code fewer: an estimate, to be exceeded at will.
 */
enum { CODE_NBYTES_PER_REF = 16 };

static bool allocate_sections(struct code_reader *reader)
{
    struct code_map *map = reader->map;
    size_t total_nbytes = 0;
    reader->section_count = map->section_count;
    /* One more, empty: the largest of none. */
    reader->sections = arena_array(reader->arena, map->section_count + 1, sizeof *reader->sections);
    if (!reader->sections)
        return false;
    reader->largest = &reader->sections[map->section_count];
    for (size_t i = 0; i < map->section_count; i++) {
        struct code_section *shown = &map->sections[i];
        struct reader_section *section = &reader->sections[i];
        size_t count = (size_t)shown->nbytes + SPARE_COUNT;
        uint8_t *classes = arena_array(reader->arena, count, sizeof *classes);
        uint8_t *marks = arena_array(reader->arena, count, sizeof *marks);
        if (!classes || !marks)
            return false;
        uint32_t raw_foff = reader->image->sections[shown->section].raw_foff;
        *section = (struct reader_section){.rva = shown->rva,
                                           .nbytes = shown->nbytes,
                                           .raw_foff = raw_foff,
                                           .bytes = reader->image->file.bytes + raw_foff,
                                           .classes = classes,
                                           .marks = marks};
        shown->classes = classes;
        total_nbytes += shown->nbytes;
        if (section->nbytes > reader->largest->nbytes)
            reader->largest = section;
    }
    return refset_reserve(reader->refs, total_nbytes / CODE_NBYTES_PER_REF);
}

static uint32_t next_function(const struct reader_section *section, uint32_t at)
{
    return bytes_find(section->classes, at, section->nbytes, CLASS_FUNCTION);
}

static void add_function(struct code_reader *reader, const struct reader_section *section, uint32_t at)
{
    struct code_map *map = reader->map;
    uint32_t begin_rva = section->rva + at, until_rva;
    const struct bound *bound = reader_bound_at(reader, begin_rva, &until_rva);
    map->functions[map->function_count++] = (struct code_function){
        .begin_rva = begin_rva,
        .end_rva = bound && bound->begin_rva == begin_rva ? bound->end_rva : begin_rva,
        .source = byte_function_source(section, at),
    };
}

/* Functions are what something names as such and what has become code. Leaves nothing but classes in the
 * map. */
static bool list_functions(struct code_reader *reader)
{
    struct code_map *map = reader->map;
    size_t count = 0;
    for (size_t s = 0; s < reader->section_count; s++) {
        const struct reader_section *section = &reader->sections[s];
        for (uint32_t at = 0; (at = next_function(section, at)) < section->nbytes; at++)
            count += byte_class_at(section, at) == BYTE_INSTRUCTION;
    }
    map->functions = arena_array(reader->arena, count, sizeof *map->functions);
    if (!map->functions)
        return false;
    for (size_t s = 0; s < reader->section_count; s++) {
        struct reader_section *section = &reader->sections[s];
        for (uint32_t at = 0; (at = next_function(section, at)) < section->nbytes; at++) {
            if (byte_class_at(section, at) == BYTE_INSTRUCTION)
                add_function(reader, section, at);
            section->classes[at] &= CLASS_MASK;
        }
    }
    return true;
}

/* Candidates may reveal image-base-relative operands, and those new candidates. Each round decodes at least
 * one new instruction, so all rounds together are linear. */
static bool settle_candidates(struct code_reader *reader)
{
    do {
        if (!descent_drain_candidates(reader) || !operands_resolve_image_relative(reader))
            return false;
    } while (reader->candidates_done < reader->candidates.count);
    return true;
}

bool code_read(const struct image *image, struct refset *refs, struct arena *arena, struct code_map *map)
{
    *map = (struct code_map){0};
    if (!image_is_decoded(image, arena, &map->not_decoded_reason))
        return !arena->exhausted;
    map->decoded = true;
    struct code_reader reader = {
        .image = image,
        .refs = refs,
        .arena = arena,
        .map = map,
        .is_64 = image->machine == MACHINE_AMD64,
        .decoder = decoder_new(arena, image->machine == MACHINE_AMD64),
        .table_entries_budget = image->file.nbytes,
    };
    if (!reader.decoder || !site_set_init(&reader.table_starts, arena, image->file.nbytes) ||
        !site_set_init(&reader.table_sites, arena, image->file.nbytes) || !list_sections(&reader))
        return false;
    if (!map->decoded)
        return true;
    if (!allocate_sections(&reader) || !roots_mark_evidence(&reader) || !bounds_collect(&reader))
        return false;

    /* What is certain comes first, so that a candidate can never cut an instruction of it. */
    if (!roots_push_trusted(&reader) || !descent_drain_trusted(&reader))
        return false;
    /* Unwind data bounds functions: what lies in one and is not data is code, however it is reached. */
    if (!cover_functions(&reader))
        return false;
    if (!roots_push_candidates(&reader) || !settle_candidates(&reader))
        return false;
    if (!cover_functions(&reader) || !settle_candidates(&reader))
        return false;
    if (!roots_push_inner_pointers(&reader) || !settle_candidates(&reader))
        return false;
    if (!roots_push_import_thunks(&reader) || !roots_push_cookie_check(&reader) ||
        !settle_candidates(&reader))
        return false;
    if (!descent_retry_pointers(&reader) || !settle_candidates(&reader))
        return false;

    classify_leftovers(&reader);
    if (reader.has_guesses &&
        !refset_limit(refs, SOURCE_CODE, NO_RVA, NO_FILE_OFFSET,
                      "The image has no base relocations: which constants in its code are addresses is a "
                      "guess by their value."))
        return false;
    if (!list_functions(&reader))
        return false;
    literals_classify(image, refs, map);
    if (!short_branches_collect(&reader))
        return false;
    refs->collected |= SOURCE_BIT(SOURCE_CODE);
    return !arena->exhausted;
}
