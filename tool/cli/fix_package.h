/* fix_package.h - fix of a folder, a zip or cab archive, or what a program carries: a new package.
 * Takes: a package.  Gives: reports of its images, and one of the package.  Must not: change the package that
 * is there, or give the new one its name before all of it has been read back. */
#ifndef HVCIFIX_CLI_FIX_PACKAGE_H
#define HVCIFIX_CLI_FIX_PACKAGE_H

#include "cli/image_run.h"

/* Is the work of this item, as far as its outcome is known, a package's? */
bool fix_takes_package(const struct image_run *run, const struct work_item *item,
                       const struct outcome *outcome);

/* Does it all; the outcome, begun or of the file itself, becomes that of the package. */
void fix_package(const struct image_run *run, const struct work_item *item, size_t number,
                 struct ordered *ordered, struct outcome *outcome);

/* A program that was repaired, or needs none, may carry images that do: then it is said where to go. */
void fix_looks_inside(const struct image_run *run, struct outcome *outcome);

/* The option of `fix` that only a package can have, where what was named may be none; NULL: there is none. */
const char *fix_asks_for_package(const struct cli_options *options, const struct work_item *item);

/* With such an option a lone image is not repaired: it was only judged, and the outcome ends with the reason.
 */
void fix_refuse_lone_image(const struct cli_options *options, const struct work_item *item,
                           struct outcome *outcome);

#endif
