/* image_run.h - what a run over many images works by, and what it has come to so far.
 * Takes: outcomes, from any thread.  Gives: what all of them together have made of waivers and the baseline.
 * Must not: print, or judge. */
#ifndef HVCIFIX_CLI_IMAGE_RUN_H
#define HVCIFIX_CLI_IMAGE_RUN_H

#include "cli/report_sinks.h"
#include "cli/work_list.h"
#include "enforce.h"

#include <stdatomic.h>
#include <stdio.h>

struct image_run {
    /* Only read while jobs run. */
    const struct cli_options *options;
    const struct report_style *style;
    const struct work_list *list;
    struct pipeline_options pipeline;
    struct pipeline_seal seal;      /* what pipeline.seal points at, with --sign-with */
    struct enforce_options enforce; /* VERB_ENFORCE */
    const struct outcome *after;    /* show --after: the image that the other is compared with */
    const struct policy *policy;    /* or NULL */
    /* Raised by jobs, in any order: the most that any image has made of each waiver (enum waiver_use). */
    atomic_uchar *waiver_uses;
    const struct baseline *baseline; /* or NULL */
    atomic_bool *baseline_seen;      /* for each of its entries: raised by jobs */
    /* Only for who delivers. */
    FILE *stream;
    struct report_sinks sinks; /* jobs read its settings and wishes */
    struct report_totals totals;
    enum exit_code exit_code;
    bool has_reports;
    size_t folder_image_count; /* since the last folder's end */
};

/* So many threads for so many items, as --jobs and the machine say; at least one. */
unsigned image_run_worker_count(const struct image_run *run, size_t item_count);

/* Any thread: joins what the image has made of each waiver, and which entries of the baseline it still has,
 * to what others have. */
void image_run_note(const struct image_run *run, const struct outcome *outcome);

/* When all images are done: what they have made of each waiver, and which entries of the baseline were seen.
 * NULL when memory ran out. */
const enum waiver_use *image_run_waiver_uses(const struct image_run *run, struct arena *arena);
const bool *image_run_baseline_seen(const struct image_run *run, struct arena *arena);

#endif
