/* file_posix.c - the reading half of file.h on POSIX systems.
 * Takes: paths in the file system's own bytes.  Gives: bytes or findings.
 * Must not: block on pipes, or write. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "io/file_posix.h"

#include "io/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

struct finding posix_finding(struct arena *arena, enum finding_code code, const char *doing, const char *path,
                             int system_error)
{
    char words[200];
    if (strerror_r(system_error, words, sizeof words) != 0)
        strcpy(words, "no text for this reason");
    return trouble_finding(arena, code, doing, path, trouble_of(system_error), words,
                           (unsigned long)system_error);
}

const char *posix_kind(mode_t mode)
{
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static struct file_identity identity_of(const struct stat *status)
{
    return (struct file_identity){(uint64_t)status->st_dev, (uint64_t)status->st_ino};
}

struct file_state posix_state(const struct stat *status)
{
    return (struct file_state){.identity = identity_of(status),
                               .nbytes = (uint64_t)status->st_size,
                               .written_at = (uint64_t)status->st_mtim.tv_sec * 1000000000 +
                                             (uint64_t)status->st_mtim.tv_nsec};
}

bool file_identify(const char *path, struct file_identity *identity)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    *identity = identity_of(&status);
    return true;
}

bool file_is_absent(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return false;
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG || errno == EACCES;
}

/* Reads at most `expected_nbytes` from the file's begin; fewer when the file ends before. */
static bool read_all(int descriptor, size_t expected_nbytes, struct arena *arena, struct span *bytes)
{
    uint8_t *buffer = arena_alloc_unset(arena, expected_nbytes);
    if (!buffer) {
        errno = ENOMEM;
        return false;
    }
    size_t done_nbytes = 0;
    while (done_nbytes < expected_nbytes) {
        ssize_t got_nbytes =
            pread(descriptor, buffer + done_nbytes, expected_nbytes - done_nbytes, (off_t)done_nbytes);
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

bool posix_read(int descriptor, const char *path, struct arena *arena, struct file_content *content,
                struct finding *error)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        *error = posix_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, errno);
    } else if (!S_ISREG(status.st_mode)) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR, "\"%s\" is %s, not a file.", path,
                              posix_kind(status.st_mode));
        error->cure = S_ISDIR(status.st_mode) ? FILE_FOLDER_CURE : "Name a file.";
    } else if ((uint64_t)status.st_size > UINT32_MAX) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" has %lld bytes; a PE image ends below 4 GiB.", path,
                              (long long)status.st_size);
        error->cure = "Name a linked Windows image.";
    } else if (!read_all(descriptor, (size_t)status.st_size, arena, &content->bytes)) {
        *error = posix_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, errno);
    } else if (content->bytes.nbytes != (size_t)status.st_size) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" became shorter while it was read.", path);
        error->cure = "Run again when no other program writes to the file.";
    } else {
        content->state = posix_state(&status);
        content->mode = status.st_mode & PERMISSION_BITS;
        content->is_read_only = (status.st_mode & WRITE_BITS) == 0;
        return true;
    }
    return false;
}

bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error)
{
    /* O_NONBLOCK: opening a pipe without a writer must not wait. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        *error = posix_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, errno);
        return false;
    }
    bool done = posix_read(descriptor, path, arena, content, error);
    close(descriptor);
    return done;
}
