/* html_rows.h - the pages of an image as rows of a picture: few enough for one sheet of paper.
 * Takes: a map of pages.  Gives: rows, each of one run of pages or of several.  Must not: draw or judge. */
#ifndef HVCIFIX_REPORT_HTML_ROWS_H
#define HVCIFIX_REPORT_HTML_ROWS_H

#include "report/page_map.h"

/* An image of any size is drawn with at most so many rows. */
enum { HTML_MOST_ROWS = 24 };

struct html_row {
    uint64_t first_page, page_count;
    const struct page_run *runs; /* run_count of them, in the map */
    size_t run_count;
    bool is_mixed;  /* the runs differ in sections or rights: too many to be drawn one by one */
    uint8_t rights; /* of the first run; of a mixed row, all that occur */
    bool is_wx;     /* some page is writable and executable */
    uint32_t codes; /* of all runs; bits as in struct page_map */
    uint32_t contents;
    unsigned y, height; /* html_picture.c sets them */
};

struct html_rows {
    struct page_map map;
    struct html_row *rows;
    size_t count;
    uint32_t grave_codes; /* bits of the codes that more than a note was found for */
};

/* False when memory ran out. Neighbours that differ only in what lies there are one row; where that is not
 * enough, those that differ only in the codes that object; and where that is not enough, what is not worth a
 * row of its own is joined. Linear in the number of runs. */
bool html_rows_make(const struct outcome *outcome, struct arena *arena, struct html_rows *rows);

#endif
