/* package_infs.h - does a package hold the drivers that its INF files name?
 * Takes: names.  Gives: findings of HVCI9055.  Must not: read files. */
#ifndef HVCIFIX_PACKAGE_PACKAGE_INFS_H
#define HVCIFIX_PACKAGE_PACKAGE_INFS_H

#include "package/inf.h"
#include "package/parcel.h"

/* The names of all files, without folders, sorted without case. */
struct package_names {
    const char **items;
    size_t count;
};

/* False when memory ran out. */
bool package_names_collect(const struct parcel *parcel, struct arena *arena, struct package_names *names);

/* Is there a file of this name in any folder? The last letter may be "_": a file that Windows expands. */
bool package_names_hold(const struct package_names *names, const char *name);

/* A note on the line of the INF that names it. */
struct finding package_lacks_driver(struct arena *arena, const char *inf_path,
                                    const struct inf_source *source);

#endif
