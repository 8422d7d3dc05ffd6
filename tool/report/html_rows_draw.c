/* html_rows_draw.c - html_rows_draw.h.
 * Takes: rows.  Gives: SVG elements.  Must not: know of repairs. */
#include "report/html_rows_draw.h"

#include "report/html_text.h"
#include "report/show_pages.h"

#include <inttypes.h>

enum {
    ROW_HEIGHT = 38,
    CODES_HEIGHT = 15, /* a third line, for codes and former rights */
    ROW_GAP = 3,
    LETTERS_WIDTH = 50,
    NAME_X = 58,
    NAME_COLUMNS = 20,
    SQUARES_END_X = HTML_COLUMN_WIDTH - 6,
    SQUARE_PITCH = 7,
    SQUARES_A_LINE = 16,
    MOST_SQUARES = 2 * SQUARES_A_LINE,
    MOST_CODES = 4,
    CONTENTS_COLUMNS = 62
};

static bool has_third_line(const struct html_row *row)
{
    return row->codes != 0;
}

unsigned html_rows_place(struct html_rows *rows)
{
    unsigned y = HTML_HEAD_HEIGHT;
    for (size_t i = 0; i < rows->count; i++) {
        rows->rows[i].y = y;
        rows->rows[i].height = ROW_HEIGHT + (has_third_line(&rows->rows[i]) ? CODES_HEIGHT : 0);
        y += rows->rows[i].height + ROW_GAP;
    }
    return y;
}

unsigned html_rows_y(const struct html_rows *rows, uint64_t rva)
{
    unsigned y = HTML_HEAD_HEIGHT;
    for (size_t i = 0; i < rows->count; i++) {
        const struct html_row *row = &rows->rows[i];
        uint64_t first = row->first_page * PAGE_NBYTES, nbytes = row->page_count * PAGE_NBYTES;
        if (rva < first + nbytes)
            return row->y + (unsigned)((rva > first ? rva - first : 0) * row->height / nbytes);
        y = row->y + row->height;
    }
    return y;
}

static const char *class_of(const struct html_row *row)
{
    if (row->is_wx)
        return "wx";
    if (row->is_mixed)
        return "mix";
    if (row->rights & RIGHT_EXECUTE)
        return "rx";
    if (row->rights & RIGHT_WRITE)
        return "rw";
    return row->rights & RIGHT_READ ? "r" : "none";
}

static const char *letters_of(struct text *text, const struct html_row *row)
{
    char words[5];
    page_rights_words(row->rights, words);
    if (row->is_mixed)
        return row->is_wx ? "W+X…" : "mixed";
    return arena_printf(text->arena, "%s", words);
}

static const char *name_of(struct text *text, const struct html_rows *rows, const struct html_row *row)
{
    if (row->is_mixed)
        return arena_printf(text->arena, "%zu areas, joined", row->run_count);
    return show_sections(text->arena, &rows->map, row->runs);
}

/* What lies in the row. A row of one run says how much of it is code. */
static const char *contents_of(struct text *text, const struct html_rows *rows, const struct html_row *row)
{
    struct page_run run = *row->runs;
    if (row->run_count > 1)
        for (size_t i = 0; i < 5; i++)
            run.class_counts[i] = 0;
    run.contents = row->contents;
    if (!rows->map.outcome->has_code && (run.contents & CONTENT_BIT(CONTENT_UNDECODED)))
        run.contents = (run.contents & ~CONTENT_BIT(CONTENT_UNDECODED)) | CONTENT_BIT(CONTENT_CODE);
    return show_contents(text->arena, &run);
}

static const char *codes_of(struct text *text, const struct html_rows *rows, const struct html_row *row,
                            size_t most)
{
    struct text words = {.arena = text->arena};
    size_t count = 0;
    for (size_t i = 0; i < rows->map.code_count; i++) {
        if (!(row->codes & (UINT32_C(1) << i)))
            continue;
        if (++count <= most)
            text_printf(&words, "%sHVCI%04u", count == 1 ? "" : " ", (unsigned)rows->map.codes[i]);
    }
    if (count > most)
        text_printf(&words, " +%zu", count - most);
    return words.chars ? words.chars : "";
}

/* Pages that one square stands for: a power of two. */
static uint64_t pages_a_square(uint64_t page_count)
{
    uint64_t pages = 1;
    while ((page_count + pages - 1) / pages > MOST_SQUARES)
        pages *= 2;
    return pages;
}

/* Squares are the dashes of one path, so that their number costs nothing. */
static void draw_squares(struct text *text, const struct html_row *row, unsigned x)
{
    uint64_t pages = pages_a_square(row->page_count);
    uint64_t count = (row->page_count + pages - 1) / pages;
    text_addz(text, "<path class=\"sq\" d=\"");
    for (unsigned line = 0; count != 0; line++) {
        uint64_t here = count < SQUARES_A_LINE ? count : SQUARES_A_LINE;
        unsigned width = (unsigned)here * SQUARE_PITCH - 2;
        text_printf(text, "M%u %uh%u", x + SQUARES_END_X - width, row->y + 8 + line * SQUARE_PITCH, width);
        count -= here;
    }
    text_printf(text, "\"/><text class=\"pg\" x=\"%u\" y=\"%u\">", x + SQUARES_END_X, row->y + 31);
    html_count(text, row->page_count, "page", "pages");
    if (pages > 1)
        text_printf(text, ", ■ = %" PRIu64, pages);
    text_addz(text, "</text>");
}

static void open_text(struct text *text, const char *class_name, unsigned x, unsigned y)
{
    text_printf(text, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class_name, x, y);
}

/* Rights of the same page in the other map; 0xFF when it has no such page or they are many. */
static uint8_t rights_at(const struct html_rows *rows, uint64_t page)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct html_row *row = &rows->rows[i];
        if (page < row->first_page + row->page_count)
            return row->is_mixed ? 0xFF : row->rights;
    }
    return 0xFF;
}

static void draw_third_line(struct text *text, const struct html_rows *rows, const struct html_row *row,
                            unsigned x)
{
    if (row->codes == 0)
        return;
    bool is_grave = (row->codes & rows->grave_codes) != 0;
    open_text(text, is_grave ? "co" : "co nt", x + NAME_X, row->y + 45);
    text_addz(text, is_grave ? "! " : "note ");
    text_addz(text, codes_of(text, rows, row, MOST_CODES));
    text_addz(text, "</text>");
}

static void draw_row(struct text *text, const struct html_rows *rows, const struct html_row *row, unsigned x,
                     const struct html_rows *before)
{
    uint8_t rights_before = before ? rights_at(before, row->first_page) : 0xFF;
    bool has_changed = rights_before != 0xFF && !row->is_mixed && rights_before != row->rights;
    text_printf(text, "<g class=\"%s%s\"><title>", class_of(row), has_changed ? " new" : "");
    html_add(text, name_of(text, rows, row));
    text_addz(text, ": ");
    html_add(text, contents_of(text, rows, row));
    text_printf(text,
                "</title><rect class=\"bk\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>"
                "<rect class=\"ky\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"/>",
                x + 1, row->y, HTML_COLUMN_WIDTH - 2, row->height, x + 1, row->y, LETTERS_WIDTH, row->height);
    text_printf(text, "<text class=\"le\" x=\"%u\" y=\"%u\">", x + 1 + LETTERS_WIDTH / 2, row->y + 23);
    html_add(text, letters_of(text, row));
    text_addz(text, "</text>");
    if (has_changed) {
        char words[5];
        page_rights_words(rights_before, words);
        text_printf(text, "<text class=\"was\" x=\"%u\" y=\"%u\">was %s</text>", x + 1 + LETTERS_WIDTH / 2,
                    row->y + 34, words);
    }
    open_text(text, "na", x + NAME_X, row->y + 16);
    html_add_short(text, name_of(text, rows, row), NAME_COLUMNS);
    text_addz(text, "</text>");
    open_text(text, "ad", x + NAME_X, row->y + 31);
    html_range(text, row->first_page * PAGE_NBYTES, row->page_count * PAGE_NBYTES);
    text_addz(text, "</text>");
    draw_squares(text, row, x);
    draw_third_line(text, rows, row, x);
    text_addz(text, "</g>\n");
}

void html_rows_draw(struct text *text, const struct html_rows *rows, const char *heading, unsigned x,
                    const struct html_rows *before)
{
    open_text(text, "hd", x + 1, 16);
    text_addz(text, heading);
    text_addz(text, "</text>\n");
    for (size_t i = 0; i < rows->count; i++)
        draw_row(text, rows, &rows->rows[i], x, before);
}

void html_rows_draw_contents(struct text *text, const struct html_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        open_text(text, "in", HTML_COLUMN_WIDTH + 14, rows->rows[i].y + 23);
        html_add_short(text, contents_of(text, rows, &rows->rows[i]), CONTENTS_COLUMNS);
        text_addz(text, "</text>\n");
    }
}

void html_rows_describe(struct text *text, const struct html_rows *rows, const char *heading)
{
    text_addz(text, heading);
    text_addz(text, ":");
    for (size_t i = 0; i < rows->count; i++) {
        const struct html_row *row = &rows->rows[i];
        text_addz(text, i == 0 ? " " : "; ");
        html_range(text, row->first_page * PAGE_NBYTES, row->page_count * PAGE_NBYTES);
        text_addz(text, " ");
        html_add(text, letters_of(text, row));
        text_addz(text, " ");
        html_add_short(text, name_of(text, rows, row), 2 * NAME_COLUMNS);
        text_addz(text, " ");
        text_addz(text, codes_of(text, rows, row, PAGE_MAP_MAX_CODES));
    }
    text_addz(text, ". ");
}
