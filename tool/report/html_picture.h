/* html_picture.h - the pages of an image as an inline SVG: before a repair, and after it.
 * Takes: outcomes and where pieces went.  Gives: one <svg> with a title and a description in words.
 * Must not: judge. Rights are told by letters as well as by colours, which the page's style gives. */
#ifndef HVCIFIX_REPORT_HTML_PICTURE_H
#define HVCIFIX_REPORT_HTML_PICTURE_H

#include "report/report.h"

/* Pieces with a number of their own, in the picture and in the table of moves. */
enum { HTML_MOST_NUMBERED_PIECES = 20 };

/* `after` NULL: one column, with what lies on the pages. `layout` NULL: everything is where it was. */
void html_picture(struct text *text, const struct outcome *before, const struct outcome *after,
                  const struct layout *layout);

/* Does the piece leave its neighbours? Such pieces are numbered in the order of the layout, from 1. */
bool html_piece_leaves(const struct piece *piece);

#endif
