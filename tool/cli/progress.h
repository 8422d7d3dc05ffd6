/* progress.h - how far a run is, on a terminal only.
 * Takes: how much there is to do, and each step.  Gives: one line on the terminal behind standard error,
 * which is gone at the end.  Must not: show anything in a pipe or a file, or in a run that ends soon. The
 * line is the program's, not a run's: whoever else writes to a terminal hides it meanwhile. */
#ifndef HVCIFIX_CLI_PROGRESS_H
#define HVCIFIX_CLI_PROGRESS_H

#include <stddef.h>

/* From now on steps are shown, when standard error is a terminal that can show them. */
void progress_begin(size_t file_count);

/* Any thread: one file more is done. */
void progress_step(void);

/* Any thread: nothing of the line is on the terminal between the two. */
void progress_hide(void);
void progress_show(void);

void progress_end(void);

#endif
