/* path_list.h - building a list of paths.
 * Takes: paths.  Gives: struct path_list.  Must not: touch the file system. */
#ifndef HVCIFIX_IO_PATH_LIST_H
#define HVCIFIX_IO_PATH_LIST_H

#include "io/file.h"

/* False when memory ran out. `path` is borrowed. */
bool path_list_add(struct arena *arena, struct path_list *list, const char *path);

/* In ascending order of bytes, the same on every system. */
void path_list_sort(struct path_list *list);

/* Is that the name of a temporary file of file_replace(): another run's, or left behind by one that was
 * killed? */
bool path_is_temporary(const char *name);

#endif
