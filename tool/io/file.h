/* file.h - reading whole files and replacing them safely.
 * Takes: paths in UTF-8.  Gives: bytes, or a finding of HVCI9006 or HVCI9007.
 * Must not: look into the bytes, or ever leave a half-written target.
 * file_posix.c and file_windows.c implement it. */
#ifndef HVCIFIX_IO_FILE_H
#define HVCIFIX_IO_FILE_H

#include "base/finding.h"
#include "base/span.h"

struct file_content {
    struct span bytes; /* in the arena */
    uint32_t mode;     /* permissions to give to a file that replaces this one */
    bool is_read_only; /* the owner may not write it */
};

/* Reads a regular file in one go. Folders, devices, pipes, and files of 4 GiB and more are refused (a PE
 * image cannot be that large). False with *error set. */
bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error);

/* Called with what was read back from the temporary file, before it replaces the target. */
typedef bool file_accept_fn(void *context, struct span written);

enum file_write_result { FILE_WRITTEN, FILE_WRITE_FAILED /* *error is set */, FILE_NOT_ACCEPTED };

/* Puts `bytes` at `path`: writes a temporary file in the same folder, flushes it, reads it back, asks
 * `accept`, gives it `mode`, and renames it over the target. On any failure the temporary file is removed
 * and the target is as it was. A symbolic link is followed: its target is replaced. */
enum file_write_result file_replace(const char *path, struct span bytes, uint32_t mode,
                                    file_accept_fn *accept, void *context, struct arena *arena,
                                    struct finding *error);

/* Do both paths name the same existing file, through whatever links? False when either does not exist. */
bool file_is_same(const char *a, const char *b);

/* Lists what is at `path`: the path itself when it is a file; all regular files below it, sorted by name,
 * when it is a folder (links to folders are not followed). False with *error set. */
struct path_list {
    const char **paths;
    size_t count, capacity;
    bool from_folder; /* paths were found, not named: files that are no PE image are passed over */
};
bool file_list(const char *path, struct arena *arena, struct path_list *list, struct finding *error);

/* The regular files beside `path` (in the same folder) whose names end with `suffix`, letters compared
 * without case, sorted by name. A folder that cannot be read gives an empty list. False only when memory ran
 * out. */
bool file_siblings(const char *path, const char *suffix, struct arena *arena, struct path_list *list);

#endif
