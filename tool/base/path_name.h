/* path_name.h - what the words of a path say.
 * Takes: paths, which may be of Windows or of Linux whatever the tool runs on: images, policies and packages
 * name files of the other system.  Gives: parts of them.  Must not: ask the file system.
 *
 * Files that the system opens or lists are cut by the system's own rules (tool/io). */
#ifndef HVCIFIX_BASE_PATH_NAME_H
#define HVCIFIX_BASE_PATH_NAME_H

#include "base/arena.h"

/* A separator of either system. */
bool path_is_separator(char c);

/* What stands behind the last separator: the whole path where there is none, "" where it ends with one. */
const char *path_last_part(const char *path);

/* The same, where a separator at the end belongs to the last part: "b/" of "a/b/". */
const char *path_last_named_part(const char *path);

/* The length of what stands in front of path_last_part(), its separator included. */
size_t path_folder_nbytes(const char *path);

/* The file's own name, of a place inside a package ("setup.exe!rsrc/102!x.sys") too. */
const char *path_file_name(const char *path);

/* The path of a file `name` in the folder of `path`; a new text. */
const char *path_beside(struct arena *arena, const char *path, const char *name);

/* The path with `suffix` in the place of what stands behind the last dot of its last part, the dot included;
 * behind the path where there is none. A new text. */
const char *path_with_suffix(struct arena *arena, const char *path, const char *suffix);

/* Does `path` end with `suffix` (ASCII), letters compared without case? */
bool path_has_suffix(const char *path, const char *suffix);

/* Is that a name under which linkers write images (.sys, .dll, .exe, .efi)? */
bool path_is_image_name(const char *path);

#endif
