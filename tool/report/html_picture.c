/* html_picture.c - the columns of the picture, and the bands between them.
 * Takes: outcomes, a layout.  Gives: one <svg>.  Must not: judge. */
#include "report/html_picture.h"

#include "report/html_rows_draw.h"
#include "report/html_text.h"

enum {
    MOST_BANDS = 60,
    THINNEST_BAND = 2,
    NUMBER_X = HTML_AFTER_X - 11,
    NUMBER_RADIUS = 8,
    MIDDLE_X = (HTML_COLUMN_WIDTH + HTML_AFTER_X) / 2
};

struct sides {
    const struct html_rows *before, *after;
};

bool html_piece_leaves(const struct piece *piece)
{
    return piece->nbytes != 0 && piece->kind != PIECE_HEADERS && piece->kind != PIECE_SECTION;
}

/* From where the bytes were to where they are. */
static void draw_band(struct text *text, const struct sides *sides, const struct piece *piece,
                      const char *class_name)
{
    unsigned from = html_rows_y(sides->before, piece->old_rva);
    unsigned from_end = html_rows_y(sides->before, (uint64_t)piece->old_rva + piece->nbytes - 1);
    unsigned to = html_rows_y(sides->after, piece->new_rva);
    unsigned to_end = html_rows_y(sides->after, (uint64_t)piece->new_rva + piece->nbytes - 1);
    if (from_end < from + THINNEST_BAND)
        from_end = from + THINNEST_BAND;
    if (to_end < to + THINNEST_BAND)
        to_end = to + THINNEST_BAND;
    text_printf(text, "<path class=\"%s\" d=\"M%u %uC%u %u %u %u %u %uV%uC%u %u %u %u %u %uz\"/>\n",
                class_name, HTML_COLUMN_WIDTH, from, MIDDLE_X, from, MIDDLE_X, to, HTML_AFTER_X, to, to_end,
                MIDDLE_X, to_end, MIDDLE_X, from_end, HTML_COLUMN_WIDTH, from_end);
}

static void draw_sections(struct text *text, const struct sides *sides, const struct image *image)
{
    for (uint32_t i = 0; i < image->mapped_section_count && i < MOST_BANDS; i++) {
        const struct section *section = image->sections_by_rva[i];
        struct piece piece = {
            .old_rva = section->rva, .new_rva = section->rva, .nbytes = section->memory_nbytes};
        if (piece.nbytes != 0)
            draw_band(text, sides, &piece, "stay");
    }
}

/* What leaves is drawn over what stays among its neighbours. */
static void draw_pieces(struct text *text, const struct sides *sides, const struct layout *layout)
{
    for (unsigned leaves = 0; leaves < 2; leaves++) {
        unsigned band_count = 0;
        for (size_t i = 0; i < layout->piece_count && band_count < MOST_BANDS; i++) {
            const struct piece *piece = &layout->pieces[i];
            if (piece->nbytes == 0 || html_piece_leaves(piece) != (leaves == 1))
                continue;
            draw_band(text, sides, piece, leaves ? "go" : "stay");
            band_count++;
        }
    }
}

struct number {
    unsigned number, y;
};

/* Numbers stand where the pieces went, one below the other where they would touch. */
static void draw_numbers(struct text *text, const struct sides *sides, const struct layout *layout)
{
    struct number numbers[HTML_MOST_NUMBERED_PIECES];
    unsigned count = 0;
    for (size_t i = 0; i < layout->piece_count && count < HTML_MOST_NUMBERED_PIECES; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (!html_piece_leaves(piece))
            continue;
        unsigned y = html_rows_y(sides->after, (uint64_t)piece->new_rva + piece->nbytes / 2);
        unsigned at = count;
        for (; at > 0 && numbers[at - 1].y > y; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = (struct number){++count, y};
    }
    unsigned free_y = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned y = numbers[i].y < free_y ? free_y : numbers[i].y;
        free_y = y + 2 * NUMBER_RADIUS + 1;
        text_printf(
            text,
            "<circle class=\"no\" cx=\"%d\" cy=\"%u\" r=\"%d\"/><text class=\"nu\" x=\"%d\" y=\"%u\">%u"
            "</text>\n",
            NUMBER_X, y, NUMBER_RADIUS, NUMBER_X, y + 4, numbers[i].number);
    }
}

static void describe_moves(struct text *text, const struct layout *layout)
{
    unsigned count = 0;
    for (size_t i = 0; i < layout->piece_count && count < HTML_MOST_NUMBERED_PIECES; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (!html_piece_leaves(piece))
            continue;
        text_printf(text, "%u: %s, from ", ++count, piece_kind_name((enum piece_kind)piece->kind));
        html_range(text, piece->old_rva, piece->nbytes);
        text_addz(text, " to ");
        html_range(text, piece->new_rva, piece->nbytes);
        text_addz(text, ". ");
    }
}

static void open_picture(struct text *text, unsigned height, const char *title)
{
    text_printf(text, "<svg role=\"img\" viewBox=\"0 0 %d %u\"><title>%s</title>\n<desc>", HTML_PICTURE_WIDTH,
                height, title);
}

static void draw_one(struct text *text, const struct html_rows *rows, unsigned height)
{
    open_picture(text, height, "Pages of the image, and what lies there");
    html_rows_describe(text, rows, "Pages");
    text_addz(text, "</desc>\n");
    html_rows_draw(text, rows, "Pages", 0, NULL);
    html_rows_draw_contents(text, rows);
    text_addz(text, "</svg>\n");
}

static void draw_both(struct text *text, const struct sides *sides, const struct layout *layout,
                      unsigned height)
{
    bool moves = layout && layout->moves;
    open_picture(text, height, "Pages before and after the repair, and what moved where");
    html_rows_describe(text, sides->before, "Before");
    html_rows_describe(text, sides->after, "After");
    if (moves)
        describe_moves(text, layout);
    text_addz(text, "</desc>\n");
    if (moves)
        draw_pieces(text, sides, layout);
    else
        draw_sections(text, sides, &sides->before->map.outcome->image);
    html_rows_draw(text, sides->before, "Before", 0, NULL);
    html_rows_draw(text, sides->after, "After", HTML_AFTER_X, moves ? NULL : sides->before);
    if (moves)
        draw_numbers(text, sides, layout);
    text_addz(text, "</svg>\n");
}

void html_picture(struct text *text, const struct outcome *before, const struct outcome *after,
                  const struct layout *layout)
{
    struct html_rows old_rows, new_rows;
    if (!html_rows_make(before, text->arena, &old_rows))
        return;
    unsigned height = html_rows_place(&old_rows);
    if (!after) {
        draw_one(text, &old_rows, height);
        return;
    }
    if (!html_rows_make(after, text->arena, &new_rows))
        return;
    unsigned new_height = html_rows_place(&new_rows);
    struct sides sides = {&old_rows, &new_rows};
    draw_both(text, &sides, layout, new_height > height ? new_height : height);
}
