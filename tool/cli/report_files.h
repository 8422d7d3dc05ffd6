/* report_files.h - which files the reports of a run go to, and that no report and no map lies over something
 * else.
 * Takes: parsed options, a policy.  Gives: wishes and settings, or what is wrong with them.  Must not: write.
 */
#ifndef HVCIFIX_CLI_REPORT_FILES_H
#define HVCIFIX_CLI_REPORT_FILES_H

#include "cli/options.h"

/* Would a report at `path` be written over an image that this run reads or writes, or over an undo file or
 * PDB? */
bool report_hits_image(const struct cli_options *options, const char *path);

/* All reports of the run, those of the policy (or NULL) behind those of the command line, at most
 * REPORT_SINKS_MOST of them, and their settings. False with *message set; NULL: memory ran
 * out. */
bool report_files_plan(const struct cli_options *options, const struct policy *policy, struct arena *arena,
                       struct report_wish **wishes, size_t *wish_count, struct report_settings *settings,
                       const char **message);

#endif
