/* link_posix.c - file_link_target() on POSIX systems.
 * Takes: a path.  Gives: where it leads.  Must not: follow the links of the folders on the way. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "io/file_posix.h"

#include <errno.h>
#include <stdlib.h>

const char *file_link_target(const char *path, struct arena *arena, struct finding *error)
{
    struct stat status;
    bool is_told = lstat(path, &status) == 0;
    if (is_told && !S_ISLNK(status.st_mode))
        return path;
    char *resolved = is_told ? realpath(path, NULL) : NULL;
    int system_error = resolved ? ENOMEM : errno;
    const char *target_path = resolved ? arena_copy_text(arena, resolved, strlen(resolved)) : NULL;
    if (!target_path)
        *error = posix_finding(arena, HVCI9006_CANNOT_READ, "Following", path, system_error);
    free(resolved);
    return target_path;
}
