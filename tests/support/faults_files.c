/* faults_files.c - calls about files, folders, streams and threads that fail or come short.
 * Takes: calls of the program.  Gives: what the C library gives, but for the chosen one.
 * Must not: touch a call that is not chosen. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library names them with
 * underscores. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
    FAULT_REAL(int, open, const char *, int, ...);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode =
        flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if ((flags & O_TMPFILE) == O_TMPFILE && fault_is_main() && getenv("HVCIFIX_FAULT_NAMED")) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return fault_meet(FAULT_open) == FAULT_NOTHING ? real(path, flags, mode) : -1;
}

ssize_t read(int descriptor, void *buffer, size_t nbytes)
{
    FAULT_REAL(ssize_t, read, int, void *, size_t);
    enum fault_what what = fault_meet(FAULT_read);
    if (what == FAULT_ERROR || what == FAULT_END)
        return what == FAULT_ERROR ? -1 : 0;
    ssize_t got_nbytes = real(descriptor, buffer, fault_cut(what, nbytes));
    fault_spoil(what, buffer, got_nbytes);
    return got_nbytes;
}

ssize_t pread(int descriptor, void *buffer, size_t nbytes, off_t at)
{
    FAULT_REAL(ssize_t, pread, int, void *, size_t, off_t);
    enum fault_what what = fault_meet(FAULT_read);
    if (what == FAULT_ERROR || what == FAULT_END)
        return what == FAULT_ERROR ? -1 : 0;
    ssize_t got_nbytes = real(descriptor, buffer, fault_cut(what, nbytes), at);
    fault_spoil(what, buffer, got_nbytes);
    return got_nbytes;
}

ssize_t write(int descriptor, const void *buffer, size_t nbytes)
{
    FAULT_REAL(ssize_t, write, int, const void *, size_t);
    enum fault_what what = fault_meet(FAULT_write);
    return what == FAULT_ERROR ? -1
           : what == FAULT_END ? 0
                               : real(descriptor, buffer, fault_cut(what, nbytes));
}

int close(int descriptor)
{
    FAULT_REAL(int, close, int);
    enum fault_what what = fault_meet(FAULT_close);
    int chosen_error = errno, result = real(descriptor); /* Linux closes whatever it says */
    if (what != FAULT_ERROR)
        return fault_late(what, result);
    errno = chosen_error;
    return -1;
}

void *mmap(void *address, size_t nbytes, int protection, int flags, int descriptor, off_t at)
{
    FAULT_REAL(void *, mmap, void *, size_t, int, int, int, off_t);
    bool is_file = !(flags & MAP_ANONYMOUS);
    return is_file && fault_meet(FAULT_mmap) != FAULT_NOTHING
               ? MAP_FAILED
               : real(address, nbytes, protection, flags, descriptor, at);
}

#define SIMPLE(name, declaration, types, ...)                                                                \
    int name declaration                                                                                     \
    {                                                                                                        \
        static int(*real) types;                                                                             \
        if (!real)                                                                                           \
            fault_find(#name, &real);                                                                        \
        enum fault_what what = fault_meet(FAULT_##name);                                                     \
        return what == FAULT_ERROR ? -1 : fault_late(what, real(__VA_ARGS__));                               \
    }

SIMPLE(fstat, (int descriptor, struct stat *status), (int, struct stat *), descriptor, status)
SIMPLE(stat, (const char *path, struct stat *status), (const char *, struct stat *), path, status)
SIMPLE(lstat, (const char *path, struct stat *status), (const char *, struct stat *), path, status)
SIMPLE(fsync, (int descriptor), (int), descriptor)
SIMPLE(fchmod, (int descriptor, mode_t mode), (int, mode_t), descriptor, mode)
SIMPLE(rename, (const char *from, const char *to), (const char *, const char *), from, to)
SIMPLE(fchown, (int descriptor, uid_t user, gid_t group), (int, uid_t, gid_t), descriptor, user, group)
SIMPLE(access, (const char *path, int mode), (const char *, int), path, mode)
SIMPLE(linkat, (int from_folder, const char *from, int to_folder, const char *to, int flags),
       (int, const char *, int, const char *, int), from_folder, from, to_folder, to, flags)
SIMPLE(unlink, (const char *path), (const char *), path)
SIMPLE(mkdir, (const char *path, mode_t mode), (const char *, mode_t), path, mode)
SIMPLE(rmdir, (const char *path), (const char *), path)
SIMPLE(chmod, (const char *path, mode_t mode), (const char *, mode_t), path, mode)
SIMPLE(utimensat, (int folder, const char *path, const struct timespec times[2], int flags),
       (int, const char *, const struct timespec *, int), folder, path, times, flags)

char *realpath(const char *path, char *resolved)
{
    FAULT_REAL(char *, realpath, const char *, char *);
    return fault_meet(FAULT_realpath) == FAULT_NOTHING ? real(path, resolved) : NULL;
}

DIR *opendir(const char *path)
{
    FAULT_REAL(DIR *, opendir, const char *);
    return fault_meet(FAULT_opendir) == FAULT_NOTHING ? real(path) : NULL;
}

struct dirent *readdir(DIR *folder)
{
    FAULT_REAL(struct dirent *, readdir, DIR *);
    return fault_meet(FAULT_readdir) == FAULT_NOTHING ? real(folder) : NULL;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    FAULT_REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    return fault_meet(FAULT_thread) == FAULT_NOTHING ? real(thread, attributes, start, argument) : EAGAIN;
}

int pthread_attr_init(pthread_attr_t *attributes)
{
    FAULT_REAL(int, pthread_attr_init, pthread_attr_t *);
    return fault_meet(FAULT_thread) == FAULT_NOTHING ? real(attributes) : ENOMEM;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t nbytes)
{
    FAULT_REAL(int, pthread_attr_setstacksize, pthread_attr_t *, size_t);
    return fault_meet(FAULT_thread) == FAULT_NOTHING ? real(attributes, nbytes) : EINVAL;
}

/* Streams. As in the C library, a write that takes less is gone on with, and any error is final. */
static ssize_t print_some(void *cookie, const char *chars, size_t nbytes)
{
    int descriptor = (int)(intptr_t)cookie;
    size_t done_nbytes = 0;
    while (done_nbytes < nbytes) {
        enum fault_what what = fault_meet(FAULT_print);
        long put_nbytes = -1;
        if (what != FAULT_ERROR)
            put_nbytes =
                syscall(SYS_write, descriptor, chars + done_nbytes, fault_cut(what, nbytes - done_nbytes));
        if (put_nbytes < 0)
            return 0;
        done_nbytes += (size_t)put_nbytes;
    }
    return (ssize_t)nbytes;
}

static int print_close(void *cookie)
{
    int descriptor = (int)(intptr_t)cookie;
    return descriptor > 2 ? close(descriptor) : 0;
}

FILE *fault_stream(int descriptor)
{
    return fopencookie((void *)(intptr_t)descriptor, "w",
                       (cookie_io_functions_t){.write = print_some, .close = print_close});
}

FILE *fopen(const char *path, const char *mode)
{
    FAULT_REAL(FILE *, fopen, const char *, const char *);
    if (!fault_is_main() || mode[0] != 'w')
        return real(path, mode);
    if (fault_meet(FAULT_fopen) != FAULT_NOTHING)
        return NULL;
    long descriptor = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor < 0)
        return NULL;
    FILE *stream = fault_stream((int)descriptor);
    if (!stream)
        syscall(SYS_close, descriptor);
    return stream;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
