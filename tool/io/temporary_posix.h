/* temporary_posix.h - the file that is written before it replaces another, on POSIX systems.
 * Takes: where it is to go.  Gives: a file in the same folder, without a name as long as the system can do
 * that: whoever ends the program then finds nothing of it.  Must not: touch the target.
 * Used by replace_posix.c only. */
#ifndef HVCIFIX_IO_TEMPORARY_POSIX_H
#define HVCIFIX_IO_TEMPORARY_POSIX_H

#include "base/arena.h"
#include "base/span.h"

#include <sys/stat.h>

struct temporary {
    int descriptor;   /* -1 when it is closed */
    const char *path; /* in the arena; NULL as long as it has no name */
};

/* A new file in the folder of target_path; with a name at once where that is asked for, or where the system
 * has no files without. False with errno set. */
bool temporary_create(const char *target_path, bool is_named, struct arena *arena,
                      struct temporary *temporary);

/* Writes, sets the permissions `mode`, gives the file the owner of `old` (NULL: nobody's) as far as this user
 * may; flushes to the disk and closes what has a name. False with errno set. */
bool temporary_fill(struct temporary *temporary, struct span bytes, mode_t mode, const struct stat *old);

/* Gives a file without a name one beside target_path, and closes it. False when that fails: some file systems
 * and sandboxes allow no such link. */
bool temporary_name(struct temporary *temporary, const char *target_path, struct arena *arena);

/* Closes it, and removes it when it has a name. */
void temporary_remove(struct temporary *temporary);

#endif
