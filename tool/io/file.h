/* file.h - reading whole files and replacing them safely.
 * Takes: paths in UTF-8.  Gives: bytes, or a finding of HVCI9006 or HVCI9007.
 * Must not: look into the bytes, or ever leave a half-written target.
 * file_posix.c, replace_posix.c, file_windows.c, replace_windows.c, set_aside_*.c, link_*.c and list_*.c
 * implement it. */
#ifndef HVCIFIX_IO_FILE_H
#define HVCIFIX_IO_FILE_H

#include "base/finding.h"
#include "base/span.h"

#include <stdatomic.h>

/* Which file a path leads to, through whatever links: equal for equal files as long as none is replaced. */
struct file_identity {
    uint64_t volume, number;
};

/* What a file was at one moment. It is equal later when nobody has written to the file or put another in its
 * place meanwhile, as far as size and time of writing tell. */
struct file_state {
    struct file_identity identity;
    uint64_t nbytes, written_at; /* the system's own unit and beginning of time */
};

struct file_content {
    struct span bytes;       /* in the arena */
    struct file_state state; /* before the bytes were read */
    uint32_t mode;           /* permissions to give to a file that is made of this one */
    bool is_read_only;       /* the owner may not write it */
};

/* For a folder that is read as a file: one that file_list() could not list is on its list. */
#define FILE_FOLDER_CURE                                                                                     \
    "Name a file. A folder that was found in another is named here when it could not be listed."

/* Reads a regular file in one go. Folders, devices, pipes, and files of 4 GiB and more are refused (a PE
 * image cannot be that large). False with *error set. */
bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error);

/* Called with what was read back from the temporary file, which is what was to be written, before it replaces
 * the target. */
typedef bool file_accept_fn(void *context, struct span written);

enum file_write_result { FILE_WRITTEN, FILE_WRITE_FAILED /* *error is set */, FILE_NOT_ACCEPTED };

struct file_replacement {
    const char *path;
    struct span bytes;
    uint32_t mode; /* permissions of a file that is new; one that is replaced hands its own on */
    const struct file_state
        *expected;           /* what the target must still be; NULL: whatever is there is replaced */
    file_accept_fn *accept;  /* NULL accepts */
    void *context;           /* for accept */
    const atomic_bool *stop; /* once it is true nothing is replaced any more: FILE_NOT_ACCEPTED; or NULL */
    bool is_relied_on;       /* something else is replaced or removed next because this file is there */
};

/* Puts bytes at a path: writes a temporary file in the same folder, flushes it, reads it back, compares, asks
 * `accept`, looks whether the target is what was expected, and renames the file over it. On any failure the
 * temporary file is removed and the target is as it was, or as somebody else has made it meanwhile. A
 * symbolic link is followed: its target is replaced. The new file gets permissions and, as far as this user
 * may, the owner of the old one. Nothing is allocated once the target is replaced. When power fails, the old
 * file or the new one is there; the new one for certain from here on where it is relied on. */
enum file_write_result file_replace(const struct file_replacement *replacement, struct arena *arena,
                                    struct finding *error);

/* False when there is no file, or when the system does not tell. */
bool file_identify(const char *path, struct file_identity *identity);

static inline bool file_identity_is_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->volume == b->volume && a->number == b->number;
}

static inline bool file_state_is_equal(const struct file_state *a, const struct file_state *b)
{
    return file_identity_is_equal(&a->identity, &b->identity) && a->nbytes == b->nbytes &&
           a->written_at == b->written_at;
}

/* Does `path` lead to nothing that could be opened by this path? False when the system does not tell. */
bool file_is_absent(const char *path);

/* Do both paths name the same existing file, through whatever links? False when either leads to nothing. True
 * when the system does not tell: what asks is about to overwrite one of them. */
static inline bool file_is_same(const char *a, const char *b)
{
    struct file_identity of_a, of_b;
    if (!file_identify(a, &of_a) || !file_identify(b, &of_b))
        return !file_is_absent(a) && !file_is_absent(b);
    return file_identity_is_equal(&of_a, &of_b);
}

/* The file that is read and replaced at `path`: the path itself, unless it names a symbolic link. NULL with
 * *error set (HVCI9006) when there is none, or the system does not tell. */
const char *file_link_target(const char *path, struct arena *arena, struct finding *error);

/* Gives the file another name in its folder, or on its disk; what had that name is replaced. / Takes it away.
 * Neither follows a symbolic link: it is the name that goes. Both wait a while for who holds the file. False
 * with *error set (HVCI9007). */
bool file_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error);
bool file_remove(const char *path, struct arena *arena, struct finding *error);

/* Lists what is at `path`: the path itself when it is a file; all regular files below it, sorted by name,
 * when it is a folder (links to folders are not followed, and temporary files of file_replace() are passed
 * over). False with *error set. */
struct path_list {
    const char **paths;
    size_t count, capacity;
    bool from_folder; /* paths were found, not named: files that are no PE image are passed over */
};
bool file_list(const char *path, struct arena *arena, struct path_list *list, struct finding *error);

/* The regular files beside `path` (in the same folder) whose names end with `suffix`, letters compared
 * without case, sorted by name. False with *error set when the folder cannot be read or memory ran out. */
bool file_siblings(const char *path, const char *suffix, struct arena *arena, struct path_list *list,
                   struct finding *error);

#endif
