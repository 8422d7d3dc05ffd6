/* html_parts.h - the parts of one image's details, and what the page and its images agree on.
 * Takes: outcomes.  Gives: elements of HTML.  Must not: judge. Only the html_*.c files include this. */
#ifndef HVCIFIX_REPORT_HTML_PARTS_H
#define HVCIFIX_REPORT_HTML_PARTS_H

#include "report/report_html.h"

/* How much of one's time an image asks for: the tables of the page, in this order. */
enum html_group {
    HTML_ATTENTION, /* it fails the run, or would without an audit */
    HTML_REPAIRED,  /* or can be, after a dry run */
    HTML_REMARKS,   /* findings that fail nothing */
    HTML_CLEAN,     /* has no details */
    HTML_GROUP_COUNT
};

/* A fragment is the group as one digit, the lengths of its three parts in 8 hexadecimal digits each, then the
 * parts: the path, the other cells of its row in the table, and the details. */
enum { HTML_FRAGMENT_HEAD_NBYTES = 1 + 3 * 8 };

/* What stands in <style>, line by line; NULL behind the last. */
extern const char *const html_style[];

/* What the tool had to say about itself (refusals, bad input), then what was found and is there: each with
 * place, evidence, waiver, cure. */
void html_findings(struct text *text, const struct outcome *outcome);

/* What was found and is not there any more: how to cure it at its source. */
void html_cured(struct text *text, const struct outcome *outcome);

/* Where the pieces of a repair went: the numbers of the picture. Nothing when none moves. */
void html_moves(struct text *text, const struct outcome *outcome);

/* What was or would be changed, with its proof, and the verifier's own list. */
void html_changes(struct text *text, const struct outcome *outcome);

/* A word on a coloured ground: error, warning, note, good, waived, plain. */
void html_badge(struct text *text, const char *class_name, const char *words);

/* All that stands above the tables of images; opens <main> and <nav>. */
void html_summary(struct text *text, const struct report_run *run, size_t attention_count);

#endif
