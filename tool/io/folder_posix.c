/* folder_posix.c - folder.h on POSIX systems.
 * Takes: paths.  Gives: lists, folders and files.  Must not: follow links. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "io/folder.h"

#include "io/file_posix.h"
#include "io/folder_list.h"
#include "io/path_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEMPORARY_TRIES = 1000 };

static bool fail(struct arena *arena, struct finding *error, enum finding_code code, const char *doing,
                 const char *path)
{
    *error = posix_finding(arena, code, doing, path, errno);
    return false;
}

static bool add(const char *path, const char *name, struct arena *arena, struct folder_list *list,
                struct finding *error)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return fail(arena, error, HVCI9006_CANNOT_READ, "Looking at", path);
    struct folder_entry entry = {
        .name = name,
        .path = path,
        .kind = S_ISREG(status.st_mode)   ? FOLDER_FILE
                : S_ISDIR(status.st_mode) ? FOLDER_FOLDER
                : S_ISLNK(status.st_mode) ? FOLDER_LINK
                                          : FOLDER_OTHER,
        .look = {.written_s = (int64_t)status.st_mtim.tv_sec,
                 .written_ns = (uint32_t)status.st_mtim.tv_nsec,
                 .mode = status.st_mode & PERMISSION_BITS},
        .nbytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0,
    };
    if (folder_list_add(arena, list, &entry))
        return true;
    errno = ENOMEM;
    return fail(arena, error, HVCI9008_OUT_OF_MEMORY, "Listing", path);
}

/* What is in one folder, without what is deeper. */
static bool read_folder(const char *folder, const char *prefix, struct arena *arena, struct folder_list *list,
                        struct finding *error)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return fail(arena, error, HVCI9006_CANNOT_READ, "Listing", folder);
    bool done = true;
    while (done) {
        errno = 0;
        const struct dirent *found = readdir(stream);
        if (!found) {
            done = errno == 0 || fail(arena, error, HVCI9006_CANNOT_READ, "Listing", folder);
            break;
        }
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0 &&
            !path_is_temporary(found->d_name))
            done = add(arena_printf(arena, "%s/%s", folder, found->d_name),
                       arena_printf(arena, "%s%s", prefix, found->d_name), arena, list, error);
    }
    closedir(stream);
    return done;
}

bool folder_walk(const char *path, struct arena *arena, struct folder_list *list, struct finding *error)
{
    *list = (struct folder_list){0};
    if (!read_folder(path, "", arena, list, error))
        return false;
    for (size_t i = 0; i < list->count; i++) /* the list grows while it is read */
        if (list->items[i].kind == FOLDER_FOLDER &&
            !read_folder(list->items[i].path, arena_printf(arena, "%s/", list->items[i].name), arena, list,
                         error))
            return false;
    folder_list_sort(list);
    return !arena->exhausted;
}

enum folder_at folder_look_at(const char *path, struct arena *arena)
{
    struct stat status;
    (void)arena;
    if (stat(path, &status) != 0)
        return errno == ENOENT ? FOLDER_AT_NOTHING : FOLDER_AT_UNKNOWN;
    if (!S_ISDIR(status.st_mode))
        return FOLDER_AT_FILE;
    DIR *stream = opendir(path);
    enum folder_at result = stream ? FOLDER_AT_EMPTY : FOLDER_AT_UNKNOWN;
    for (const struct dirent *found; stream && (found = readdir(stream));)
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
            result = FOLDER_AT_FULL;
    if (stream)
        closedir(stream);
    return result;
}

static const char *parent_of(const char *path, struct arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_printf(arena, "%.*s", slash == path ? 1 : (int)(slash - path), path) : ".";
}

bool folder_holds(const char *folder, const char *path, struct arena *arena)
{
    char *whole = realpath(folder, NULL);
    char *there = realpath(path, NULL);
    if (!there)
        there = realpath(parent_of(path, arena), NULL);
    size_t nbytes = whole ? strlen(whole) : 0;
    bool holds = whole && there && strncmp(whole, there, nbytes) == 0 &&
                 (there[nbytes] == 0 || there[nbytes] == '/' || nbytes == 1);
    free(whole);
    free(there);
    return holds;
}

static const char *without_slashes(const char *path, struct arena *arena)
{
    size_t nbytes = strlen(path);
    while (nbytes > 1 && path[nbytes - 1] == '/')
        nbytes--;
    return arena_printf(arena, "%.*s", (int)nbytes, path);
}

const char *folder_create_temporary(const char *path, struct arena *arena, struct finding *error)
{
    const char *parent = parent_of(without_slashes(path, arena), arena);
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        const char *temporary = arena_printf(arena, "%s/.hvcifix-%ld-%d.tmp", parent, (long)getpid(), i);
        if (arena->exhausted)
            break;
        if (mkdir(temporary, 0777) == 0)
            return temporary;
        if (errno != EEXIST)
            break;
    }
    fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating a temporary folder beside", path);
    return NULL;
}

bool folder_create(const char *path, struct arena *arena, struct finding *error)
{
    struct stat status;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && lstat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        return true;
    return fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating", path);
}

static bool write_all(int descriptor, struct span bytes)
{
    for (size_t done_nbytes = 0; done_nbytes < bytes.nbytes;) {
        ssize_t put_nbytes = write(descriptor, bytes.bytes + done_nbytes, bytes.nbytes - done_nbytes);
        if (put_nbytes < 0 && errno == EINTR)
            continue;
        if (put_nbytes == 0)
            errno = ENOSPC;
        if (put_nbytes <= 0)
            return false;
        done_nbytes += (size_t)put_nbytes;
    }
    return true;
}

bool folder_put(const char *path, struct span bytes, const struct file_look *look, struct arena *arena,
                struct finding *error)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating", path);
    bool done = write_all(descriptor, bytes) && fsync(descriptor) == 0;
    int system_error = errno;
    if (close(descriptor) != 0 && done) {
        system_error = errno;
        done = false;
    }
    errno = system_error;
    if (!done)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Writing", path);
    return !look || folder_set_look(path, look, arena, error);
}

bool folder_set_look(const char *path, const struct file_look *look, struct arena *arena,
                     struct finding *error)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = (time_t)look->written_s, .tv_nsec = (long)look->written_ns}};
    if (look->written_s == FOLDER_TIME_NOW)
        times[1] = (struct timespec){.tv_nsec = UTIME_OMIT};
    if ((look->mode == 0 || chmod(path, look->mode & PERMISSION_BITS) == 0) &&
        utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    return fail(arena, error, HVCI9007_CANNOT_WRITE, "Setting the time and permissions of", path);
}

bool folder_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error)
{
    const char *target = without_slashes(new_path, arena);
    if (rename(path, target) != 0)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Giving the new folder the name", new_path);
    int descriptor = open(parent_of(target, arena), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    return true;
}

void folder_take_away(const char *path, bool is_folder, struct arena *arena)
{
    (void)arena;
    if (is_folder)
        (void)chmod(path, 0700);
    if (is_folder)
        (void)rmdir(path);
    else
        (void)unlink(path);
}

void folder_remove(const char *path, struct arena *arena)
{
    struct folder_list list;
    struct finding error;
    if (folder_walk(path, arena, &list, &error))
        for (size_t i = list.count; i-- > 0;)
            folder_take_away(list.items[i].path, list.items[i].kind == FOLDER_FOLDER, arena);
    (void)rmdir(path);
}
