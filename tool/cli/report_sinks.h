/* report_sinks.h - the report files of a run (--report), beside what goes to standard output.
 * Takes: fragments of reports in the order of the images.  Gives: files, each written whole at the end.
 * Must not: let a report that fails stop the run, or leave half a file. */
#ifndef HVCIFIX_CLI_REPORT_SINKS_H
#define HVCIFIX_CLI_REPORT_SINKS_H

#include "cli/ordered.h"
#include "report/report_formats.h"

#include <stdio.h>

struct report_sink {
    struct report_wish wish;
    struct text fragments; /* in an arena of its own */
    struct arena arena;
    bool has_fragments;
};

struct report_sinks {
    const struct report_settings *settings;
    struct report_sink *items; /* count of them, at most REPORT_SINKS_MOST */
    size_t count;
};

/* `sinks->items` has `count` elements, zeroed but for their wishes. */
void report_sinks_open(struct report_sinks *sinks);
void report_sinks_close(struct report_sinks *sinks);

/* Any thread: appends the fragments of an image to `text`, which holds what goes to the stream, and notes
 * their lengths in the report. False: memory ran out. */
bool report_sinks_image(const struct report_sinks *sinks, const struct outcome *outcome, struct text *text,
                        struct image_report *report);

/* For who delivers: keeps the fragments that lie in report->chars behind report->shown_nbytes. */
void report_sinks_keep(struct report_sinks *sinks, const struct image_report *report, const char *path);

/* Makes and writes the reports. Returns EXIT_CLEAN, or EXIT_WRITE when one could not be made or written; that
 * is complained of. The stream's own failures are seen by ferror(). */
enum exit_code report_sinks_write(struct report_sinks *sinks, const struct report_run *run, FILE *stream);

#endif
