/* show_pages.h - pieces of the picture of pages that one image and a pair share.
 * Takes: runs of pages.  Gives: words and rows.  Must not: judge. */
#ifndef HVCIFIX_REPORT_SHOW_PAGES_H
#define HVCIFIX_REPORT_SHOW_PAGES_H

#include "report/page_map.h"
#include "report/report.h"

/* More runs than this are joined where only their contents differ, so that a picture fits a few screens. */
enum { SHOW_MOST_RUNS = 60 };

/* "drv.sys: x64, native, kernel image (...), 7 sections, 12 pages of 4 KiB". */
void show_title(struct text *text, const struct outcome *outcome, const struct page_map *map);

/* Names of the sections on these pages, or "headers", or "-". */
const char *show_sections(struct arena *arena, const struct page_map *map, const struct page_run *run);

/* "code 91 %, padding 9 %, unwind info". */
const char *show_contents(struct arena *arena, const struct page_run *run);

/* Rights and objecting codes, painted when they are bad, padded with blanks to `columns`. */
void show_rights(struct text *text, const struct page_run *run, size_t columns,
                 const struct report_style *style);
void show_codes(struct text *text, const struct page_map *map, const struct page_run *run, size_t columns,
                const struct report_style *style);

/* What the letters mean, what is special about this image, and what each code objects to. */
void show_legend(struct text *text, const struct outcome *outcome, const struct page_map *map);

/* The whole picture of one image. False when memory ran out. */
bool show_pages(struct text *text, const struct outcome *outcome, const struct report_style *style);

#endif
