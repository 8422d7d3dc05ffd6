/* set_aside_posix.c - taking a file away from its name, on POSIX systems.
 * Takes: paths.  Gives: success or a finding.  Must not: follow a link: the name goes, not what it leads to.
 */
#define _POSIX_C_SOURCE 200809L

#include "io/file_posix.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

bool file_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error)
{
    if (rename(path, new_path) == 0)
        return true;
    *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Renaming", path, errno);
    return false;
}

bool file_remove(const char *path, struct arena *arena, struct finding *error)
{
    if (unlink(path) == 0)
        return true;
    *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Deleting", path, errno);
    return false;
}
