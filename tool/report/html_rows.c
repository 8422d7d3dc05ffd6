/* html_rows.c - html_rows.h.
 * Takes: runs of pages.  Gives: rows.  Must not: draw. */
#include "report/html_rows.h"

static bool is_writable_code(uint8_t rights)
{
    return (rights & RIGHT_WRITE) && (rights & RIGHT_EXECUTE);
}

static struct html_row row_of(const struct page_run *run)
{
    return (struct html_row){
        .first_page = run->first_page,
        .page_count = run->page_count,
        .runs = run,
        .run_count = 1,
        .rights = run->rights,
        .is_wx = is_writable_code(run->rights),
        .codes = run->codes,
        .contents = run->contents,
    };
}

static bool is_same_place(const struct page_run *a, const struct page_run *b)
{
    return a->rights == b->rights && a->first_section == b->first_section &&
           a->section_count == b->section_count;
}

static void join(struct html_row *row, const struct html_row *next)
{
    row->is_mixed = row->is_mixed || next->is_mixed || !is_same_place(row->runs, next->runs);
    row->page_count += next->page_count;
    row->run_count += next->run_count;
    row->rights |= next->rights;
    row->is_wx = row->is_wx || next->is_wx;
    row->codes |= next->codes;
    row->contents |= next->contents;
}

/* Rows of the same sections and rights become one. */
static void join_same_places(struct html_rows *rows)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (kept != 0 && is_same_place(rows->rows[kept - 1].runs, rows->rows[i].runs))
            join(&rows->rows[kept - 1], &rows->rows[i]);
        else
            rows->rows[kept++] = rows->rows[i];
    }
    rows->count = kept;
}

/* Half of the rows stay: the first, then the first ones that something objects to. All between two of them
 * becomes one row. */
static void join_the_rest(struct html_rows *rows)
{
    size_t kept = 0, own_count = 0;
    bool last_is_own = true; /* a row that must not grow */
    for (size_t i = 0; i < rows->count; i++) {
        const struct html_row *row = &rows->rows[i];
        bool is_own = own_count < HTML_MOST_ROWS / 2 && (i == 0 || row->codes != 0 || row->is_wx);
        own_count += is_own;
        if (is_own || last_is_own)
            rows->rows[kept++] = *row;
        else
            join(&rows->rows[kept - 1], row);
        last_is_own = is_own;
    }
    rows->count = kept;
}

static uint32_t grave_codes(const struct page_map *map)
{
    const struct finding_list *findings = &map->outcome->findings;
    uint32_t codes = 0;
    for (size_t i = 0; i < map->code_count; i++)
        for (size_t k = 0; k < findings->count && !(codes & (UINT32_C(1) << i)); k++)
            if (findings->items[k].code == map->codes[i] && findings->items[k].level > LEVEL_NOTE)
                codes |= UINT32_C(1) << i;
    return codes;
}

bool html_rows_make(const struct outcome *outcome, struct arena *arena, struct html_rows *rows)
{
    *rows = (struct html_rows){0};
    if (!page_map_make(outcome, arena, &rows->map))
        return false;
    page_map_coarsen(&rows->map, CONTENTS_ALL);
    rows->grave_codes = grave_codes(&rows->map);
    rows->rows = arena_array(arena, rows->map.run_count, sizeof *rows->rows);
    if (!rows->rows)
        return false;
    for (size_t i = 0; i < rows->map.run_count; i++)
        rows->rows[i] = row_of(&rows->map.runs[i]);
    rows->count = rows->map.run_count;
    if (rows->count > HTML_MOST_ROWS)
        join_same_places(rows);
    if (rows->count > HTML_MOST_ROWS)
        join_the_rest(rows);
    return true;
}
