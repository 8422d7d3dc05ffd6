/* check_infs.h - does a folder or an archive hold the drivers that its INF files name?
 * Takes: a package whose images were judged.  Gives: a report with notes, or none.  Must not: judge images.
 */
#ifndef HVCIFIX_CLI_CHECK_INFS_H
#define HVCIFIX_CLI_CHECK_INFS_H

#include "cli/image_run.h"

/* The outcome is begun. True when there is something to report. */
bool check_infs(const char *folder, struct outcome *outcome);

/* The same of the archive that is the outcome's file, and that was read to its end. */
bool check_infs_of_archive(struct outcome *outcome);

#endif
