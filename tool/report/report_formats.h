/* report_formats.h - the formats that a report over a run can have, one row each.
 * Takes: outcomes, one after the other, then what is known of the whole run.  Gives: the whole report as
 * text. Must not: write files, or decide anything.
 *
 * A report is made in two steps. While images are judged, on several threads, `image` makes a fragment of
 * each outcome. At the end `whole` makes the report of all fragments, which are in the order of the images.
 */
#ifndef HVCIFIX_REPORT_REPORT_FORMATS_H
#define HVCIFIX_REPORT_REPORT_FORMATS_H

#include "policy/report_wish.h"
#include "report/report.h"

/* What is known when all images are done. */
struct report_run {
    const char *verb; /* "check", "fix" or "enforce" */
    enum windows_target target;
    const struct policy *policy;        /* or NULL */
    const enum waiver_use *waiver_uses; /* one for each waiver of the policy; NULL without one */
    const struct baseline *baseline;    /* or NULL */
    const bool *baseline_seen;          /* for each of its entries: has this run a finding for it? */
    const struct report_settings *settings;
    struct report_totals totals;
    enum exit_code exit_code;
};

struct report_format_row {
    const char *separator; /* what stands between two fragments */
    /* The fragment of one image. Any thread, any order; allocates in text->arena only. */
    void (*image)(struct text *text, const struct outcome *outcome, const struct report_settings *settings);
    /* The report of all fragments, `fragments_nbytes` bytes that are joined in the order of the images. */
    void (*whole)(struct text *text, const struct report_run *run, const char *fragments,
                  size_t fragments_nbytes);
};
extern const struct report_format_row report_formats[REPORT_FORMAT_COUNT];

/* As report_scarce(): the fragment of an image for whose own fragment memory ran out. */
size_t report_scarce_fragment(char room[REPORT_SCARCE_NBYTES], const struct outcome *outcome,
                              enum report_format format, const struct report_settings *settings);

#endif
