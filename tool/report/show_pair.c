/* show_pair.c - the pages of an image before and after a repair.
 * Takes: two outcomes.  Gives: one table where the layout is the same, else two pictures.
 * Must not: judge. */
#include "report/layout.h"
#include "report/safe_text.h"
#include "report/show_pages.h"

#include <inttypes.h>
#include <string.h>

enum { NAME_COLUMNS = 18, SIDE_RIGHTS_COLUMNS = 6, SIDE_CODES_COLUMNS = 20 };

/* Nothing has moved: same pages, same section borders. Then rows can stand side by side. */
static bool is_same_layout(const struct image *before, const struct image *after)
{
    if (before->image_nbytes != after->image_nbytes ||
        before->mapped_section_count != after->mapped_section_count)
        return false;
    for (uint32_t i = 0; i < before->mapped_section_count; i++)
        if (before->sections_by_rva[i]->rva != after->sections_by_rva[i]->rva ||
            before->sections_by_rva[i]->memory_nbytes != after->sections_by_rva[i]->memory_nbytes)
            return false;
    return true;
}

static void add_side(struct text *text, const struct page_map *map, const struct page_run *run,
                     const struct report_style *style)
{
    show_rights(text, run, SIDE_RIGHTS_COLUMNS, style);
    show_codes(text, map, run, SIDE_CODES_COLUMNS, style);
}

static bool is_changed(const struct page_map *before, const struct page_run *old_run,
                       const struct page_map *after, const struct page_run *new_run)
{
    if (old_run->rights != new_run->rights)
        return true;
    uint32_t mapped_codes = 0; /* the old run's codes as bits of the new map */
    for (size_t i = 0; i < before->code_count; i++) {
        if (!(old_run->codes & (UINT32_C(1) << i)))
            continue;
        size_t k = 0;
        while (k < after->code_count && after->codes[k] != before->codes[i])
            k++;
        if (k == after->code_count)
            return true;
        mapped_codes |= UINT32_C(1) << k;
    }
    return mapped_codes != new_run->codes;
}

static void add_row(struct text *text, const struct page_map *before, const struct page_run *old_run,
                    const struct page_map *after, const struct page_run *new_run, uint64_t first_page,
                    uint64_t end_page, const struct report_style *style)
{
    size_t line_start = text->nbytes;
    bool has_changed = is_changed(before, old_run, after, new_run);
    text_printf(text, "%s %08" PRIX64 "-%08" PRIX64 "  ", has_changed ? ">" : " ", first_page * PAGE_NBYTES,
                end_page * PAGE_NBYTES - 1);
    size_t name_start = text->nbytes;
    safe_add(text, show_sections(text->arena, after, new_run));
    text_pad_to_column(text, name_start, NAME_COLUMNS);
    text_addz(text, "  ");
    add_side(text, before, old_run, style);
    add_side(text, after, new_run, style);
    safe_end_line(text, line_start);
}

/* Walks both lists of runs, cutting at the borders of either. */
static void add_table(struct text *text, const struct page_map *before, const struct page_map *after,
                      const struct report_style *style)
{
    int side_columns = SIDE_RIGHTS_COLUMNS + SIDE_CODES_COLUMNS;
    text_printf(text, "  %-17s  %-*s  %-*s%s\n", "RVA", NAME_COLUMNS, "section", side_columns, "before",
                "after");
    size_t i = 0, k = 0;
    uint64_t page = 0;
    while (i < before->run_count && k < after->run_count) {
        uint64_t old_end = (uint64_t)before->runs[i].first_page + before->runs[i].page_count;
        uint64_t new_end = (uint64_t)after->runs[k].first_page + after->runs[k].page_count;
        uint64_t end = old_end < new_end ? old_end : new_end;
        add_row(text, before, &before->runs[i], after, &after->runs[k], page, end, style);
        page = end;
        i += end == old_end;
        k += end == new_end;
    }
}

void report_text_show_pair(struct text *text, const struct outcome *before, const struct outcome *after,
                           const struct report_style *style)
{
    struct page_map before_map, after_map;
    if (!before->has_image || !after->has_image)
        return;
    if (!is_same_layout(&before->image, &after->image)) {
        if (show_pages(text, before, style))
            show_pages(text, after, style);
        return;
    }
    if (!page_map_make(before, text->arena, &before_map) || !page_map_make(after, text->arena, &after_map))
        return;
    page_map_coarsen(&before_map, CONTENTS_ALL);
    page_map_coarsen(&after_map, CONTENTS_ALL);
    show_title(text, before, &before_map);
    size_t line_start = text->nbytes;
    text_addz(text, "after: ");
    safe_add_path(text, after->path);
    safe_end_line(text, line_start);
    add_table(text, &before_map, &after_map, style);
    if (!style->quiet)
        show_legend(text, before, &before_map);
}
