/* html_rows_draw.h - one column of the picture.
 * Takes: rows.  Gives: SVG elements, and where each RVA is drawn.  Must not: know of repairs.
 * Lengths are units of the picture, which is as wide as HTML_PICTURE_WIDTH. */
#ifndef HVCIFIX_REPORT_HTML_ROWS_DRAW_H
#define HVCIFIX_REPORT_HTML_ROWS_DRAW_H

#include "base/text.h"
#include "report/html_rows.h"

enum {
    HTML_COLUMN_WIDTH = 340,
    HTML_AFTER_X = 420,
    HTML_PICTURE_WIDTH = HTML_AFTER_X + HTML_COLUMN_WIDTH,
    HTML_HEAD_HEIGHT = 26 /* of the column's heading */
};

/* Gives every row its place; returns the height of the column. */
unsigned html_rows_place(struct html_rows *rows);

/* The column with its left edge at x. `before`, or NULL: rows in which the rights of the same pages were
 * others say so. */
void html_rows_draw(struct text *text, const struct html_rows *rows, const char *heading, unsigned x,
                    const struct html_rows *before);

/* What lies on the pages of each row, as text to the right of the first column. */
void html_rows_draw_contents(struct text *text, const struct html_rows *rows);

/* The rows as sentences, for who does not see them. */
void html_rows_describe(struct text *text, const struct html_rows *rows, const char *heading);

/* Where the byte at rva is drawn. */
unsigned html_rows_y(const struct html_rows *rows, uint64_t rva);

#endif
