/* show_pages.c - the picture of an image: one line for each run of alike pages.
 * Takes: an outcome.  Gives: text.  Must not: judge. */
#include "report/show_pages.h"

#include "report/layout.h"
#include "report/safe_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SECTION_NAMES = 3, WIDEST_SECTION_COLUMNS = 24, RIGHTS_COLUMNS = 8 };

static const char *role_words(enum image_role role)
{
    return role == ROLE_KERNEL ? "kernel image" : role == ROLE_USER ? "user-mode image" : "firmware image";
}

void show_title(struct text *text, const struct outcome *outcome, const struct page_map *map)
{
    const struct image *image = &outcome->image;
    const struct page_run *last = map->run_count != 0 ? &map->runs[map->run_count - 1] : NULL;
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    text_printf(text, ": %s, %s, %s, ", image_machine_name(image), image_subsystem_name(image),
                role_words(image->role));
    layout_count(text, image->section_count, "section", "sections");
    text_addz(text, ", ");
    layout_count(text, last ? (uint64_t)last->first_page + last->page_count : 0, "page", "pages");
    text_addz(text, " of 4 KiB");
    safe_end_line(text, line_start);
}

const char *show_sections(struct arena *arena, const struct page_map *map, const struct page_run *run)
{
    if (run->section_count == 0)
        return run->contents & CONTENT_BIT(CONTENT_HEADERS) ? "headers" : "-";
    struct text words = {.arena = arena};
    for (uint32_t i = 0; i < run->section_count && i < MOST_SECTION_NAMES; i++)
        text_printf(&words, "%s%s", i == 0 ? "" : " ",
                    map->outcome->image.sections_by_rva[run->first_section + i]->name);
    if (run->section_count > MOST_SECTION_NAMES)
        text_printf(&words, " +%" PRIu32, run->section_count - MOST_SECTION_NAMES);
    return words.chars ? words.chars : "";
}

/* Share of the decoded bytes that are of a class, for the contents that stand for one. */
static bool content_nbytes(const struct page_run *run, unsigned content, uint64_t *nbytes)
{
    switch (content) {
    case CONTENT_CODE:
        *nbytes = run->class_counts[BYTE_INSTRUCTION] + run->class_counts[BYTE_INSTRUCTION_TAIL];
        return true;
    case CONTENT_CODE_DATA:
        *nbytes = run->class_counts[BYTE_DATA];
        return true;
    case CONTENT_CODE_PADDING:
        *nbytes = run->class_counts[BYTE_PADDING];
        return true;
    case CONTENT_CODE_UNKNOWN:
        *nbytes = run->class_counts[BYTE_UNKNOWN];
        return true;
    default:
        return false;
    }
}

const char *show_contents(struct arena *arena, const struct page_run *run)
{
    uint64_t decoded_nbytes = 0;
    for (size_t i = 0; i < 5; i++)
        decoded_nbytes += run->class_counts[i];
    struct text words = {.arena = arena};
    for (unsigned content = 0; content < CONTENT_COUNT; content++) {
        uint64_t nbytes;
        if (!(run->contents & CONTENT_BIT(content)))
            continue;
        text_printf(&words, "%s%s", words.nbytes == 0 ? "" : ", ", page_content_name(content));
        if (!content_nbytes(run, content, &nbytes) || decoded_nbytes == 0 || nbytes == decoded_nbytes)
            continue;
        if (nbytes * 100 < decoded_nbytes)
            text_addz(&words, " <1%");
        else
            text_printf(&words, " %" PRIu64 "%%", nbytes * 100 / decoded_nbytes);
    }
    return words.chars ? words.chars : "nothing";
}

/* `words` in paint when `is_bad`, and blanks up to `columns` (at least one). */
static void add_cell(struct text *text, const char *words, size_t columns, bool is_bad,
                     const struct report_style *style)
{
    size_t nbytes = strlen(words);
    if (is_bad)
        layout_paint(text, style, PAINT_BAD, words);
    else
        safe_add(text, words);
    do
        text_add(text, " ", 1);
    while (++nbytes < columns);
}

void show_rights(struct text *text, const struct page_run *run, size_t columns,
                 const struct report_style *style)
{
    char words[5];
    page_rights_words(run->rights, words);
    bool is_bad = (run->rights & RIGHT_WRITE) && (run->rights & RIGHT_EXECUTE);
    add_cell(text, words, columns, is_bad, style);
}

static const char *codes_words(const struct page_map *map, uint32_t codes, struct arena *arena)
{
    struct text words = {.arena = arena};
    for (size_t i = 0; i < map->code_count; i++)
        if (codes & (UINT32_C(1) << i))
            text_printf(&words, "%s%04u", words.nbytes == 0 ? "" : " ", (unsigned)map->codes[i]);
    return words.chars ? words.chars : "";
}

void show_codes(struct text *text, const struct page_map *map, const struct page_run *run, size_t columns,
                const struct report_style *style)
{
    const char *words = codes_words(map, run->codes, text->arena);
    add_cell(text, words, columns, words[0] != 0, style);
}

/* Columns that the widest cell needs, its gap to the next column included. */
static void measure(struct text *text, const struct page_map *map, size_t *section_columns,
                    size_t *code_columns)
{
    *section_columns = strlen("section");
    *code_columns = strlen("HVCI");
    for (size_t i = 0; i < map->run_count; i++) {
        size_t section_nbytes = strlen(show_sections(text->arena, map, &map->runs[i]));
        size_t code_nbytes = strlen(codes_words(map, map->runs[i].codes, text->arena));
        if (section_nbytes > *section_columns)
            *section_columns = section_nbytes;
        if (code_nbytes > *code_columns)
            *code_columns = code_nbytes;
    }
    if (*section_columns > WIDEST_SECTION_COLUMNS)
        *section_columns = WIDEST_SECTION_COLUMNS;
    *section_columns += 2;
    *code_columns += 2;
}

static void add_row(struct text *text, const struct page_map *map, const struct page_run *run,
                    size_t section_columns, size_t code_columns, const struct report_style *style)
{
    uint64_t first_rva = (uint64_t)run->first_page * PAGE_NBYTES;
    uint64_t last_rva = first_rva + (uint64_t)run->page_count * PAGE_NBYTES - 1;
    size_t line_start = text->nbytes;
    text_printf(text, "  %08" PRIX64 "-%08" PRIX64 "  %6" PRIu32 "  ", first_rva, last_rva, run->page_count);
    size_t indent = text->nbytes - line_start + RIGHTS_COLUMNS + section_columns + code_columns;
    show_rights(text, run, RIGHTS_COLUMNS, style);
    add_cell(text, show_sections(text->arena, map, run), section_columns, false, style);
    show_codes(text, map, run, code_columns, style);
    layout_wrap(text, line_start, indent, show_contents(text->arena, run));
}

void show_legend(struct text *text, const struct outcome *outcome, const struct page_map *map)
{
    const struct image *image = &outcome->image;
    layout_labelled(
        text, "rights",
        image->is_flat
            ? arena_printf(text->arena,
                           "SectionAlignment 0x%X is less than a page, so Windows maps the file as "
                           "one piece and every page is readable, writable and executable, "
                           "whatever the section headers say.",
                           (unsigned)image->section_alignment)
            : "R read, W write, X execute, d discarded after start; as the section headers say.");
    if (outcome->has_code && !outcome->code.decoded)
        layout_labelled(text, "code", outcome->code.not_decoded_reason);
    for (size_t i = 0; i < map->code_count; i++) {
        const struct rule *rule = rule_find((unsigned)map->codes[i]);
        layout_labelled(text, arena_printf(text->arena, "HVCI%04u", (unsigned)map->codes[i]),
                        rule ? rule->title : "see the findings");
    }
}

bool show_pages(struct text *text, const struct outcome *outcome, const struct report_style *style)
{
    struct page_map map;
    if (!page_map_make(outcome, text->arena, &map))
        return false;
    show_title(text, outcome, &map);
    page_map_coarsen(&map, CONTENTS_FILLING);
    if (map.run_count > SHOW_MOST_RUNS)
        page_map_coarsen(&map, CONTENTS_ALL);
    size_t section_columns, code_columns;
    measure(text, &map, &section_columns, &code_columns);
    text_printf(text, "  %-17s  %6s  %-*s%-*s%-*s%s\n", "RVA", "pages", RIGHTS_COLUMNS, "rights",
                (int)section_columns, "section", (int)code_columns, "HVCI", "what lies there");
    for (size_t i = 0; i < map.run_count; i++)
        add_row(text, &map, &map.runs[i], section_columns, code_columns, style);
    if (!style->quiet)
        show_legend(text, outcome, &map);
    return true;
}
