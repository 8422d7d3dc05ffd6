/* look_inside.h - the images that a file holds: an archive, or an image that carries others.
 * Takes: the outcome of the file itself.  Gives: reports of what is inside, before its own.
 * Must not: unpack to disk, or repair. */
#ifndef HVCIFIX_CLI_LOOK_INSIDE_H
#define HVCIFIX_CLI_LOOK_INSIDE_H

#include "cli/image_run.h"

/* A file met while walking a folder or an archive that does not begin like an image is not what was asked
 * for.
 */
bool outcome_is_passed_over(const struct outcome *outcome);

/* Is that an archive, which the pipeline could not take for an image? */
bool outcome_is_archive(const struct outcome *outcome);

/* Judges what the file holds, in reports of their own before its own. True when its own is of interest. */
bool look_inside(const struct image_run *run, const struct work_item *item, size_t number,
                 struct ordered *ordered, struct outcome *outcome);

#endif
