/* file_posix.c - file.h on POSIX systems.
 * Takes: paths in the file system's own bytes.  Gives: bytes or findings.
 * Must not: block on pipes, or leave a half-written target. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "io/file.h"

#include "io/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERMISSION_BITS = 0777, WRITE_BITS = 0222, TEMPORARY_TRIES = 1000 /* more than there are threads */ };

static enum trouble trouble_of(int system_error)
{
    switch (system_error) {
    case ENOENT:
    case ENOTDIR:
        return TROUBLE_MISSING;
    case EACCES:
    case EPERM:
        return TROUBLE_DENIED;
    case EROFS:
        return TROUBLE_PROTECTED;
    case ENAMETOOLONG:
    case ELOOP:
        return TROUBLE_NAME;
    case ETXTBSY:
    case EBUSY:
        return TROUBLE_HELD;
    case ENOSPC:
    case EDQUOT:
        return TROUBLE_FULL;
    case ENOMEM:
        return TROUBLE_MEMORY;
    default:
        return TROUBLE_OTHER;
    }
}

static struct finding system_finding(struct arena *arena, enum finding_code code, const char *doing,
                                     const char *path, int system_error)
{
    char words[200];
    if (strerror_r(system_error, words, sizeof words) != 0)
        strcpy(words, "no text for this reason");
    return trouble_finding(arena, code, doing, path, trouble_of(system_error), words,
                           (unsigned long)system_error);
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

bool file_identify(const char *path, struct file_identity *identity)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    *identity = (struct file_identity){(uint64_t)status.st_dev, (uint64_t)status.st_ino};
    return true;
}

bool file_is_absent(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return false;
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG || errno == EACCES;
}

/* Reads at most `expected_nbytes` from descriptor; fewer when the file ends before. */
static bool read_all(int descriptor, size_t expected_nbytes, struct arena *arena, struct span *bytes)
{
    uint8_t *buffer = arena_alloc_unset(arena, expected_nbytes);
    if (!buffer) {
        errno = ENOMEM;
        return false;
    }
    size_t done_nbytes = 0;
    while (done_nbytes < expected_nbytes) {
        ssize_t got_nbytes = read(descriptor, buffer + done_nbytes, expected_nbytes - done_nbytes);
        if (got_nbytes < 0 && errno == EINTR)
            continue;
        if (got_nbytes < 0)
            return false;
        if (got_nbytes == 0)
            break;
        done_nbytes += (size_t)got_nbytes;
    }
    *bytes = (struct span){buffer, done_nbytes};
    return true;
}

bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error)
{
    /* O_NONBLOCK: opening a pipe without a writer must not wait. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        int system_error = errno;
        if (descriptor >= 0)
            close(descriptor);
        *error = system_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, system_error);
        return false;
    }
    bool done = false;
    if (!S_ISREG(status.st_mode)) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR, "\"%s\" is %s, not a file.", path,
                              kind_of(status.st_mode));
        error->cure = S_ISDIR(status.st_mode) ? FILE_FOLDER_CURE : "Name a file.";
    } else if ((uint64_t)status.st_size > UINT32_MAX) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" has %lld bytes; a PE image ends below 4 GiB.", path,
                              (long long)status.st_size);
        error->cure = "Name a linked Windows image.";
    } else if (!read_all(descriptor, (size_t)status.st_size, arena, &content->bytes)) {
        *error = system_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, errno);
    } else if (content->bytes.nbytes != (size_t)status.st_size) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" became shorter while it was read.", path);
        error->cure = "Run again when no other program writes to the file.";
    } else {
        content->mode = status.st_mode & PERMISSION_BITS;
        content->is_read_only = (status.st_mode & WRITE_BITS) == 0;
        done = true;
    }
    close(descriptor);
    return done;
}

/* Creates a new file in the folder of target_path. The name says whose it is, should a kill leave it. */
static int create_temporary(const char *target_path, struct arena *arena, const char **temporary_path)
{
    const char *slash = strrchr(target_path, '/');
    int folder_nbytes = slash ? (int)(slash - target_path) + 1 : 0;
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        *temporary_path =
            arena_printf(arena, "%.*s.hvcifix-%ld-%d.tmp", folder_nbytes, target_path, (long)getpid(), i);
        if (arena->exhausted) {
            errno = ENOMEM;
            return -1;
        }
        int descriptor = open(*temporary_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
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

/* Writes, sets permissions, flushes to the disk, closes. */
static bool fill_temporary(int descriptor, struct span bytes, uint32_t mode)
{
    bool done =
        write_all(descriptor, bytes) && fchmod(descriptor, (mode_t)mode) == 0 && fsync(descriptor) == 0;
    int system_error = errno;
    if (close(descriptor) != 0 && done)
        return false;
    errno = system_error;
    return done;
}

/* Makes the rename itself lasting. A folder that cannot be flushed (some network file systems) is no reason
 * to call the replaced file a failure. */
static void flush_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

/* rename(), which a network file system may have done although it says that it failed: then the target is the
 * temporary file. False with errno set. */
static bool replace_with(const char *temporary_path, const char *target_path)
{
    struct file_identity temporary, target;
    bool is_known = file_identify(temporary_path, &temporary);
    if (rename(temporary_path, target_path) == 0)
        return true;
    int system_error = errno;
    bool is_done = is_known && file_identify(target_path, &target) && target.volume == temporary.volume &&
                   target.number == temporary.number;
    errno = system_error;
    return is_done;
}

/* The file that is to be replaced: `path`, or what a link leads to. NULL with *error set when there is
 * something that must not be replaced, or when the system does not tell what is there: a link that is not
 * followed would be replaced itself. */
static const char *find_target(const char *path, struct arena *arena, struct finding *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        if (errno == ENOENT)
            return path;
        *error = system_finding(arena, HVCI9007_CANNOT_WRITE, "Looking at", path, errno);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is %s, not a file.", path,
                              kind_of(status.st_mode));
        error->cure = "Name a file to write to.";
        return NULL;
    }
    if ((status.st_mode & WRITE_BITS) == 0) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is read-only.", path);
        error->cure = "Make the file writable first; a read-only file is left alone on purpose.";
        return NULL;
    }
    char *resolved = realpath(path, NULL);
    int system_error = resolved ? ENOMEM : errno;
    const char *target_path = resolved ? arena_copy_text(arena, resolved, strlen(resolved)) : NULL;
    if (!target_path)
        *error = system_finding(arena, HVCI9007_CANNOT_WRITE, "Following", path, system_error);
    free(resolved);
    return target_path;
}

enum file_write_result file_replace(const char *path, struct span bytes, uint32_t mode,
                                    file_accept_fn *accept, void *context, struct arena *arena,
                                    struct finding *error)
{
    const char *target_path = find_target(path, arena, error);
    if (!target_path)
        return FILE_WRITE_FAILED;
    const char *slash = strrchr(target_path, '/');
    const char *folder =
        slash ? arena_printf(arena, "%.*s", (int)(slash - target_path) + 1, target_path) : ".";
    const char *temporary_path;
    int descriptor = create_temporary(target_path, arena, &temporary_path);
    if (descriptor < 0) {
        *error =
            system_finding(arena, HVCI9007_CANNOT_WRITE, "Creating a temporary file beside", path, errno);
        return FILE_WRITE_FAILED;
    }
    struct file_content written;
    enum file_write_result result = FILE_WRITE_FAILED;
    if (!fill_temporary(descriptor, bytes, mode)) {
        *error = system_finding(arena, HVCI9007_CANNOT_WRITE, "Writing", path, errno);
    } else if (!file_read(temporary_path, arena, &written, error)) {
        error->code = HVCI9007_CANNOT_WRITE;
    } else if (!span_is_equal(written.bytes, bytes)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                              "What was written for \"%s\" is not what came back from the disk.", path);
        error->cure = "Check that disk; nothing was changed.";
    } else if (accept && !accept(context, written.bytes)) {
        result = FILE_NOT_ACCEPTED;
    } else if (!replace_with(temporary_path, target_path)) {
        *error = system_finding(arena, HVCI9007_CANNOT_WRITE, "Replacing", path, errno);
    } else {
        flush_folder(folder);
        return FILE_WRITTEN;
    }
    (void)unlink(temporary_path);
    return result;
}
