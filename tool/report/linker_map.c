/* linker_map.c - the repaired image as linkers describe theirs (.map), for tools that read those.
 * Takes: an outcome whose repair was proved.  Gives: text.  Must not: decide anything.
 *
 * The form is that of link.exe /MAP: sections with their class, then one line a name with section:offset and
 * the address at the preferred base. Where the old image has no name for the begin of a function or of a
 * piece, its place there stands for one: .text+1A30 is in section .text of the old image, 0x1A30 behind its
 * begin; so what a reader shows for any address leads back to the old image. */
#include "base/path_name.h"
#include "policy/calendar.h"
#include "report/map_names.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SECONDS_A_DAY = 24 * 60 * 60 };

struct line {
    uint32_t new_rva;
    const char *name, *from; /* the column of the object file */
};

struct linker_map {
    struct text *text;
    const struct outcome *outcome;
    const struct layout *layout; /* NULL: nothing moves */
    struct image image;          /* the new one */
    const char *module;          /* the old image's file name */
    struct line *lines;
    size_t line_count, line_capacity;
    uint32_t *named_rvas; /* of the old image: what needs no name of ours */
    size_t named_count;
};

static bool add_line(struct linker_map *map, uint32_t new_rva, const char *name, const char *from)
{
    struct line *lines = arena_grow(map->text->arena, map->lines, map->line_count, &map->line_capacity,
                                    map->line_count + 1, sizeof *lines);
    if (!lines)
        return false;
    map->lines = lines;
    lines[map->line_count++] = (struct line){new_rva, name, from};
    return true;
}

static uint32_t new_rva_of(const struct linker_map *map, uint32_t old_rva)
{
    return map->layout ? layout_map_rva(map->layout, old_rva) : old_rva;
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool add_names(struct linker_map *map)
{
    struct map_names names;
    if (!map_names_read(map->outcome, &names))
        return false;
    map->named_rvas = arena_array(map->text->arena, names.count + 1, sizeof *map->named_rvas);
    for (size_t i = 0; map->named_rvas && i < names.count; i++) {
        map->named_rvas[map->named_count++] = names.items[i].rva;
        if (!add_line(map, new_rva_of(map, names.items[i].rva), names.items[i].text, map->module))
            return false;
    }
    return map->named_rvas != NULL;
}

/* The old place, or what we call it with `lead` in front. */
static bool add_place(struct linker_map *map, uint32_t old_rva, uint32_t new_rva, const char *lead)
{
    const struct section *section = image_section_at_rva(&map->outcome->image, old_rva);
    const char *name =
        section ? arena_printf(map->text->arena, "%s%s+%" PRIX32, lead, section->name, old_rva - section->rva)
                : arena_printf(map->text->arena, "%sheaders+%" PRIX32, lead, old_rva);
    return add_line(map, new_rva, name, *lead ? "<hvcifix>" : map->module);
}

static bool add_unnamed(struct linker_map *map, uint32_t old_rva)
{
    bool is_named = map->named_count != 0 &&
                    bsearch(&old_rva, map->named_rvas, map->named_count, sizeof old_rva, compare_u32) != NULL;
    return is_named || add_place(map, old_rva, new_rva_of(map, old_rva), "");
}

/* Functions by the exception data (x64, ARM64), and the begin of each section and piece. */
static bool add_places(struct linker_map *map)
{
    const struct outcome *outcome = map->outcome;
    for (size_t i = 0; i < outcome->refs.ref_count; i++) {
        const struct ref *ref = &outcome->refs.refs[i];
        if (ref->source == SOURCE_EXCEPTION && ref->detail == DETAIL_FUNCTION_BEGIN &&
            ref->state == REF_RESOLVED && !add_unnamed(map, ref->target))
            return false;
    }
    for (uint32_t i = 0; i < outcome->image.section_count; i++)
        if (outcome->image.sections[i].memory_nbytes != 0 &&
            !add_unnamed(map, outcome->image.sections[i].rva))
            return false;
    for (size_t i = 0; map->layout && i < map->layout->piece_count; i++)
        if (map->layout->pieces[i].nbytes != 0 && map->layout->pieces[i].section != NO_SECTION &&
            !add_unnamed(map, map->layout->pieces[i].old_rva))
            return false;
    return outcome->image.entry_rva == 0 || add_unnamed(map, outcome->image.entry_rva);
}

static bool add_new_code(struct linker_map *map)
{
    const struct straddle_repair *repair = map->layout ? map->layout->straddles : NULL;
    for (size_t i = 0; repair && i < repair->copy_count; i++)
        if (!add_place(map, repair->copies[i].old_rva, repair->code_rva + repair->copies[i].at, "copy_of_"))
            return false;
    for (unsigned i = 0; repair && i < repair->stub_count; i++)
        if (!add_place(map, repair->stubs[i].function_old_rva, repair->code_rva + repair->stubs[i].at,
                       "start_stub_of_"))
            return false;
    for (size_t i = 0; i < map->outcome->nx.redirect_count; i++) {
        const struct nx_redirect *redirect = &map->outcome->nx.redirects[i];
        const char *name = arena_printf(map->text->arena, "nx_stub_of_%s", redirect->api->name);
        if (!add_line(map, redirect->stub_rva, name, "<hvcifix>"))
            return false;
    }
    return true;
}

/* By place, then by name; one place has a name only once. */
static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->new_rva != y->new_rva ? (x->new_rva < y->new_rva ? -1 : 1) : strcmp(x->name, y->name);
}

/* Readers take words apart at blanks. */
static void put_word(struct text *text, const char *word, size_t width)
{
    size_t begin = text->nbytes;
    for (const char *at = word; *at; at++) {
        char c = *at > ' ' && *at < 0x7F ? *at : '?';
        text_add(text, &c, 1);
    }
    text_pad_to_column(text, begin, width);
}

static void put_place(struct linker_map *map, uint32_t rva)
{
    const struct section *section = image_section_at_rva(&map->image, rva);
    text_printf(map->text, "%04" PRIX32 ":%08" PRIX32, section ? section->index + 1 : 0,
                section ? rva - section->rva : rva);
}

static void put_sections(struct linker_map *map)
{
    text_addz(map->text, " Start         Length     Name                   Class\n");
    for (uint32_t i = 0; i < map->image.section_count; i++) {
        const struct section *section = &map->image.sections[i];
        text_printf(map->text, " %04" PRIX32 ":00000000 %08" PRIX32 "H ", i + 1, section->memory_nbytes);
        put_word(map->text, section->name, 23);
        text_addz(map->text, section->characteristics & SCN_MEM_EXECUTE ? " CODE\n" : " DATA\n");
    }
}

static void put_lines(struct linker_map *map)
{
    int width = map->image.is_64 ? 16 : 8;
    text_addz(map->text, "\n  Address         Publics by Value              Rva+Base");
    text_addz(map->text, map->image.is_64 ? "               Lib:Object\n\n" : "       Lib:Object\n\n");
    if (map->line_count > 1)
        qsort(map->lines, map->line_count, sizeof *map->lines, compare_lines);
    for (size_t i = 0; i < map->line_count; i++) {
        const struct line *line = &map->lines[i];
        if (i != 0 && compare_lines(line, line - 1) == 0)
            continue;
        const struct section *section = image_section_at_rva(&map->image, line->new_rva);
        bool is_code = section && (section->characteristics & SCN_MEM_EXECUTE);
        text_addz(map->text, " ");
        put_place(map, line->new_rva);
        text_addz(map->text, "       ");
        put_word(map->text, line->name, 26);
        text_printf(map->text, " %0*" PRIx64 " %s   ", width, map->image.image_base_va + line->new_rva,
                    is_code ? "f" : " ");
        put_word(map->text, line->from, 0);
        text_addz(map->text, "\n");
    }
    text_addz(map->text, "\n entry point at        ");
    put_place(map, map->image.entry_rva);
    text_addz(map->text, "\n");
}

void report_linker_map(struct text *text, const struct outcome *outcome)
{
    struct linker_map map = {.text = text,
                             .outcome = outcome,
                             .layout = outcome->has_plan ? outcome->plan.layout : NULL,
                             .module = path_last_part(outcome->path)};
    struct finding error;
    struct span bytes = {outcome->output.bytes, outcome->output.nbytes};
    char day[CALENDAR_DAY_NBYTES];
    if (!image_read(bytes, text->arena, &map.image, &error) || !add_names(&map) || !add_places(&map) ||
        !add_new_code(&map)) {
        text->arena->exhausted = true; /* what was proved can be read */
        return;
    }
    uint32_t stamp = map.image.time_date_stamp;
    calendar_name((day_number)(stamp / SECONDS_A_DAY), day);
    text_addz(text, " ");
    put_word(text, map.module, 0);
    text_printf(text,
                "\n\n Timestamp is %08" PRIx32 " (%s %02u:%02u:%02u)\n\n Preferred load address is %0*" PRIx64
                "\n\n",
                stamp, day, stamp % SECONDS_A_DAY / 3600, stamp / 60 % 60, stamp % 60,
                map.image.is_64 ? 16 : 8, map.image.image_base_va);
    put_sections(&map);
    put_lines(&map);
}
