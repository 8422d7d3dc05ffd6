/* image_reports.h - the reports of a run: what goes to its stream, and fragments for its report files.
 * Takes: outcomes.  Gives: text, put out in the order of the calls.  Must not: judge, or choose the order. */
#ifndef HVCIFIX_CLI_IMAGE_REPORTS_H
#define HVCIFIX_CLI_IMAGE_REPORTS_H

#include "cli/image_run.h"

/* Any thread: the report of one image as text in the outcome's arena, or in `room` when memory runs out, and
 * what else is kept of it. */
struct image_report image_report_make(const struct image_run *run, struct outcome *outcome,
                                      char room[REPORT_SCARCE_NBYTES]);

/* The rest is for who delivers. */

/* What stands in front of the first report. */
void image_reports_begin(struct image_run *run, struct arena *arena);

void image_report_put(struct image_run *run, const struct image_report *report, const char *path);

/* The report of something that is no image. */
void image_report_put_problem(struct image_run *run, const char *path, enum finding_code code,
                              const char *message, const char *cure, enum exit_code exit_code);

/* What is said when all images are done: on the stream, then in report files. */
void image_reports_end(struct image_run *run, struct arena *arena);

#endif
