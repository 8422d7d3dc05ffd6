/* layout.h - how reports for people are laid out: colours, labels, wrapped paragraphs, quantities.
 * Takes: words.  Gives: lines of at most LAYOUT_COLUMNS columns, each passed through safe_end_line().
 * Must not: decide what is said. */
#ifndef HVCIFIX_REPORT_LAYOUT_H
#define HVCIFIX_REPORT_LAYOUT_H

#include "base/finding.h"
#include "report/report.h"

enum { LAYOUT_COLUMNS = 100, LAYOUT_LABEL_INDENT = 4, LAYOUT_LABEL_COLUMN = 14 };

enum paint { PAINT_ERROR, PAINT_WARNING, PAINT_NOTE, PAINT_GOOD, PAINT_BAD };

/* Appends `words` in a colour when the style asks for colours. */
void layout_paint(struct text *text, const struct report_style *style, enum paint paint, const char *words);

enum paint layout_level_paint(enum finding_level level);

/* Appends `words`, escaped and wrapped, and ends the line. The first line goes on at the end of the text,
 * which stands `line_start` bytes into it; further lines are indented by `indent` columns. */
void layout_wrap(struct text *text, size_t line_start, size_t indent, const char *words);

/* One indented "label   words" paragraph; nothing when words is NULL or empty. */
void layout_labelled(struct text *text, const char *label, const char *words);

/* Our own constant prose: paragraphs and list lines separated by newlines, each wrapped at `indent`; lines of
 * a list begin with "- " and hang by two more columns. */
void layout_prose(struct text *text, size_t indent, const char *prose);

/* "1 page", "2 pages". */
void layout_count(struct text *text, uint64_t count, const char *one, const char *many);

#endif
