/* folder.h - whole folders: what is in one, and writing a new one that takes its name when it is done.
 * Takes: paths in UTF-8.  Gives: lists, files and folders, or a finding of HVCI9006 or HVCI9007.
 * Must not: follow links, or write over anything. folder_posix.c and folder_windows.c implement it. */
#ifndef HVCIFIX_IO_FOLDER_H
#define HVCIFIX_IO_FOLDER_H

#include "base/finding.h"
#include "base/span.h"

/* What a file has besides its bytes. With written_s of FOLDER_TIME_NOW a new file keeps the time at which it
 * is written. */
#define FOLDER_TIME_NOW INT64_MIN
struct file_look {
    int64_t written_s;   /* seconds since 1970, UTC */
    uint32_t written_ns; /* and a part of a second; systems keep less of it */
    uint32_t mode;       /* POSIX permissions; on Windows 0222 of them say whether it may be written */
    uint32_t attributes; /* Windows: hidden, system, archive, read-only; 0 elsewhere */
};

enum folder_kind { FOLDER_FILE, FOLDER_FOLDER, FOLDER_LINK, FOLDER_OTHER /* a pipe, a device */ };

struct folder_entry {
    const char *name; /* below the folder, "/" between names */
    const char *path; /* with the folder */
    enum folder_kind kind;
    struct file_look look;
    uint64_t nbytes; /* of a file */
};

struct folder_list {
    struct folder_entry
        *items; /* in ascending order of the bytes of their names: a folder before what is in it */
    size_t count, capacity;
};

/* All that is below `path`, folders too; temporary files of ours are passed over. False with *error set when
 * anything cannot be listed or looked at. */
bool folder_walk(const char *path, struct arena *arena, struct folder_list *list, struct finding *error);

/* What is at `path`? FOLDER_AT_UNKNOWN: the system does not tell. A link is what it leads to. */
enum folder_at { FOLDER_AT_NOTHING, FOLDER_AT_EMPTY, FOLDER_AT_FULL, FOLDER_AT_FILE, FOLDER_AT_UNKNOWN };
enum folder_at folder_look_at(const char *path, struct arena *arena);

/* Does `path`, which need not be there yet, lie in `folder`, or is it the folder itself? */
bool folder_holds(const char *folder, const char *path, struct arena *arena);

/* A new, empty folder beside `path`, under a name that path_is_temporary() knows. NULL with *error set. */
const char *folder_create_temporary(const char *path, struct arena *arena, struct finding *error);

/* A new folder; one that is there already is as good. / A new file with these bytes, flushed to the disk; one
 * of that name is an error. `look` NULL: as new files are. / Gives a file or folder the look. False with
 * *error set. */
bool folder_create(const char *path, struct arena *arena, struct finding *error);
bool folder_put(const char *path, struct span bytes, const struct file_look *look, struct arena *arena,
                struct finding *error);
bool folder_set_look(const char *path, const struct file_look *look, struct arena *arena,
                     struct finding *error);

/* Gives a folder its name, where nothing, or an empty folder, is. False with *error set; then nothing has
 * changed. */
bool folder_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error);

/* Takes a file, or an empty folder, away; nothing is said when that fails. On POSIX systems it needs no
 * memory. */
void folder_take_away(const char *path, bool is_folder, struct arena *arena);

/* Takes a folder away with all that is in it, as far as the system lets us. */
void folder_remove(const char *path, struct arena *arena);

#endif
