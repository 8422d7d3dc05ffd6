/* temporary_posix.c - temporary_posix.h.
 * Takes: where the file is to go.  Gives: the file.  Must not: touch the target. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "io/temporary_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEMPORARY_TRIES = 1000 /* more than there are threads */, FD_PATH_NBYTES = 40 };

static void fd_path(char path[FD_PATH_NBYTES], int descriptor)
{
    snprintf(path, FD_PATH_NBYTES, "/proc/self/fd/%d", descriptor);
}

/* The name says whose it is, should a kill leave it. NULL with errno set. */
static const char *nth_path(const char *target_path, int n, struct arena *arena)
{
    const char *slash = strrchr(target_path, '/');
    int folder_nbytes = slash ? (int)(slash - target_path) + 1 : 0;
    const char *path =
        arena_printf(arena, "%.*s.hvcifix-%ld-%d.tmp", folder_nbytes, target_path, (long)getpid(), n);
    if (!arena->exhausted)
        return path;
    errno = ENOMEM;
    return NULL;
}

static bool create_named(const char *target_path, struct arena *arena, struct temporary *temporary)
{
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        temporary->path = nth_path(target_path, i, arena);
        if (!temporary->path)
            return false;
        temporary->descriptor = open(temporary->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (temporary->descriptor >= 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    temporary->path = NULL;
    return false;
}

/* A descriptor, or -1 where the system has none, or could not give it a name later. */
static int create_unnamed(const char *target_path, struct arena *arena)
{
#ifdef O_TMPFILE
    const char *slash = strrchr(target_path, '/');
    const char *folder =
        slash ? arena_printf(arena, "%.*s", (int)(slash - target_path) + 1, target_path) : ".";
    int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -1;
    char path[FD_PATH_NBYTES];
    fd_path(path, descriptor);
    if (access(path, F_OK) == 0)
        return descriptor;
    close(descriptor);
#else
    (void)target_path, (void)arena;
#endif
    return -1;
}

bool temporary_create(const char *target_path, bool is_named, struct arena *arena,
                      struct temporary *temporary)
{
    *temporary = (struct temporary){.descriptor = is_named ? -1 : create_unnamed(target_path, arena)};
    return temporary->descriptor >= 0 || create_named(target_path, arena, temporary);
}

static bool write_all(int descriptor, struct span bytes)
{
    size_t done_nbytes = 0;
    while (done_nbytes < bytes.nbytes) {
        ssize_t put_nbytes = write(descriptor, bytes.bytes + done_nbytes, bytes.nbytes - done_nbytes);
        if (put_nbytes < 0 && errno == EINTR)
            continue;
        if (put_nbytes < 0)
            return false;
        if (put_nbytes == 0) {
            errno = ENOSPC;
            return false;
        }
        done_nbytes += (size_t)put_nbytes;
    }
    return true;
}

/* Who repairs another's file does not take it over, where the system lets him give it back. The group alone
 * can be given by more users. */
static void keep_owner(int descriptor, const struct stat *old)
{
    struct stat now;
    if (fstat(descriptor, &now) != 0 || (now.st_uid == old->st_uid && now.st_gid == old->st_gid))
        return;
    if (fchown(descriptor, old->st_uid, old->st_gid) != 0)
        (void)!fchown(descriptor, (uid_t)-1, old->st_gid);
}

/* False with errno set: what the system says at last of what was written. */
static bool close_it(struct temporary *temporary)
{
    int descriptor = temporary->descriptor;
    temporary->descriptor = -1;
    return close(descriptor) == 0;
}

bool temporary_fill(struct temporary *temporary, struct span bytes, mode_t mode, const struct stat *old)
{
    bool done = write_all(temporary->descriptor, bytes) && fchmod(temporary->descriptor, mode) == 0;
    if (done && old)
        keep_owner(temporary->descriptor, old);
    if (!temporary->path)
        return done;
    return done && fsync(temporary->descriptor) == 0 && close_it(temporary);
}

/* A network file system may have made the link although it says that it failed. */
static bool is_linked(int descriptor, const char *path)
{
    struct stat by_descriptor, by_path;
    return fstat(descriptor, &by_descriptor) == 0 && lstat(path, &by_path) == 0 &&
           by_descriptor.st_dev == by_path.st_dev && by_descriptor.st_ino == by_path.st_ino;
}

bool temporary_name(struct temporary *temporary, const char *target_path, struct arena *arena)
{
    char from[FD_PATH_NBYTES];
    fd_path(from, temporary->descriptor);
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        const char *path = nth_path(target_path, i, arena);
        if (!path)
            return false;
        bool is_refused = linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0;
        if (is_refused && errno == EEXIST)
            continue;
        if (is_refused && !is_linked(temporary->descriptor, path))
            return false;
        temporary->path = path;
        return close_it(temporary);
    }
    return false;
}

void temporary_remove(struct temporary *temporary)
{
    if (temporary->descriptor >= 0)
        close(temporary->descriptor);
    if (temporary->path)
        (void)unlink(temporary->path);
    *temporary = (struct temporary){.descriptor = -1};
}
