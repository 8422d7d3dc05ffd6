/* report.h - what people and programs read.
 * Takes: outcomes.  Gives: text in a growing buffer.  Must not: decide anything, or print by itself.
 * Deterministic: same outcome, same bytes. */
#ifndef HVCIFIX_REPORT_REPORT_H
#define HVCIFIX_REPORT_REPORT_H

#include "base/text.h"
#include "pipeline.h"

struct report_style {
    bool color; /* ANSI colours */
    bool quiet; /* findings only: no details, no summary */
};

struct report_totals {
    size_t images, clean, with_findings, fixed, fixable /* dry runs */, refused, errors;
    size_t finding_errors, finding_warnings, finding_notes;
    size_t finding_waived, finding_known; /* of these */
    size_t calls[SITE_VERDICT_COUNT];     /* that may ask for executable memory, by verdict */
    size_t calls_not_judged;              /* images whose calls should have been */
};

/* Text for people and MSBuild: one line a finding, details indented under it, one line on the result. */
void report_text_image(struct text *text, const struct outcome *outcome, const struct report_style *style);
void report_text_summary(struct text *text, const struct report_totals *totals,
                         const struct report_style *style);
void report_count(struct report_totals *totals, const struct outcome *outcome);
void report_totals_add(struct report_totals *totals, const struct report_totals *more);

/* JSON: {"images":[...]} as docs/report.schema.json says, built of begin, one call an image, end. */
void report_json_begin(struct text *text);
void report_json_image(struct text *text, const struct outcome *outcome, bool is_first);
void report_json_end(struct text *text);
void report_json_end_early(
    struct text *text); /* when the run was interrupted: not every image has a report */

/* In place of a report for which memory ran out: one finding of HVCI9008, as text or as the JSON of one
 * image. Allocates nothing. The outcome is any whose path is set; it counts as an error, exit code 3. Returns
 * how many bytes of `room` are the report. */
enum { REPORT_SCARCE_NBYTES = 16 * 1024 };
size_t report_scarce(char room[REPORT_SCARCE_NBYTES], const struct outcome *outcome, bool is_json,
                     const struct report_style *style, struct report_totals *totals);

/* The plan as a table (fix --dry-run). */
void report_text_plan(struct text *text, const struct outcome *outcome, const struct report_style *style);

/* The map of a repair that moves things, as docs/map.schema.json says; "pieces" is empty when nothing moves.
 */
void report_json_map(struct text *text, const struct outcome *outcome);

/* The same as linkers write it (link.exe /MAP), of the new image. */
void report_linker_map(struct text *text, const struct outcome *outcome);

/* `verify OLD NEW`. */
void report_text_verdict(struct text *text, const char *old_path, const char *new_path,
                         const struct verify_verdict *verdict, const struct report_style *style);
void report_json_verdict(struct text *text, const char *old_path, const char *new_path,
                         const struct verify_verdict *verdict);

/* `show`: pages with permissions and what objects; lists of regions and references. */
enum show_what { SHOW_PAGES, SHOW_REGIONS, SHOW_REFERENCES, SHOW_CALLS };
void report_text_show(struct text *text, const struct outcome *outcome, enum show_what what,
                      const struct report_style *style);
void report_json_show(struct text *text, const struct outcome *outcome, enum show_what what, bool is_first);

/* The pages of two images side by side, for a repair: rights and objections before and after. */
void report_text_show_pair(struct text *text, const struct outcome *before, const struct outcome *after,
                           const struct report_style *style);

/* `rules` and `explain CODE`; explain knows the rules and the tool's own codes (HVCI9xxx) and returns false
 * when there is no such code. */
void report_text_rules(struct text *text, const struct report_style *style);
bool report_text_explain(struct text *text, unsigned code, const struct report_style *style);

#endif
