/* report_html.h - the report as one page of HTML, for people.
 * Takes: outcomes, and what is known of the run.  Gives: a page that is whole in itself: style and pictures
 * in it, no scripts, nothing that is fetched.  Must not: decide anything, or print by itself. The page begins
 * with its summary, so it is put together at the end, from a fragment of each image. */
#ifndef HVCIFIX_REPORT_REPORT_HTML_H
#define HVCIFIX_REPORT_REPORT_HTML_H

#include "report/report_formats.h"

/* The details of images take at most about this many bytes of a page; further ones have their line in the
 * table only, and the page says so. Browsers and printers manage a page of this size. */
#define REPORT_HTML_DETAILS_NBYTES ((size_t)8 * 1024 * 1024)

/* One image, as a fragment that ends by itself: fragments are joined as they are, in the order of the images,
 * and mean nothing to anybody but report_html_whole(). When memory runs out, nothing is appended. For an
 * outcome without an image it needs no memory but the text's. */
void report_html_image(struct text *text, const struct outcome *outcome,
                       const struct report_settings *settings);

/* The whole page. */
void report_html_whole(struct text *text, const struct report_run *run, const char *fragments,
                       size_t fragments_nbytes);

/* The same with at most so many bytes of details. */
void report_html_whole_within(struct text *text, const struct report_run *run, const char *fragments,
                              size_t fragments_nbytes, size_t most_details_nbytes);

#endif
