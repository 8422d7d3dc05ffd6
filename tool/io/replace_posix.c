/* replace_posix.c - the replacing half of file.h on POSIX systems.
 * Takes: paths in the file system's own bytes, bytes.  Gives: a replaced file or findings.
 * Must not: leave a half-written target, or replace what it was not told to. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "io/file_posix.h"
#include "io/flush_posix.h"
#include "io/temporary_posix.h"
#include "io/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Makes the rename itself lasting, which takes as long as the file does. A folder that cannot be flushed
 * (some network file systems) is no reason to call the replaced file a failure. */
static void flush_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

/* rename(), which a network file system may have done although it says that it failed: then the target is the
 * temporary file (NULL: not known). False with errno set. */
static bool replace_with(const char *temporary_path, const char *target_path,
                         const struct file_identity *temporary)
{
    struct file_identity target;
    if (rename(temporary_path, target_path) == 0)
        return true;
    int system_error = errno;
    bool is_done =
        temporary && file_identify(target_path, &target) && file_identity_is_equal(&target, temporary);
    errno = system_error;
    return is_done;
}

/* The file that is to be replaced: `path`, or what a link leads to. NULL with *error set when there is
 * something that must not be replaced, or when the system does not tell what is there: a link that is not
 * followed would be replaced itself. *status is the target's own; st_mode is 0 where there is none. */
static const char *find_target(const char *path, struct arena *arena, struct stat *status,
                               struct finding *error)
{
    if (stat(path, status) != 0) {
        *status = (struct stat){0};
        if (errno == ENOENT)
            return path;
        *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Looking at", path, errno);
        return NULL;
    }
    if (!S_ISREG(status->st_mode)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is %s, not a file.", path,
                              posix_kind(status->st_mode));
        error->cure = "Name a file to write to.";
        return NULL;
    }
    if ((status->st_mode & WRITE_BITS) == 0) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is read-only.", path);
        error->cure = "Make the file writable first; a read-only file is left alone on purpose.";
        return NULL;
    }
    char *resolved = realpath(path, NULL);
    int system_error = resolved ? ENOMEM : errno;
    const char *target_path = resolved ? arena_copy_text(arena, resolved, strlen(resolved)) : NULL;
    if (!target_path)
        *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Following", path, system_error);
    free(resolved);
    return target_path;
}

/* Reads the temporary file back, compares, asks. FILE_WRITTEN when all is well. */
static enum file_write_result judge_written(const struct file_replacement *replacement,
                                            const struct temporary *temporary, struct arena *arena,
                                            struct finding *error)
{
    const char *path = replacement->path;
    struct file_content written;
    if (!(temporary->path ? file_read(temporary->path, arena, &written, error)
                          : posix_read(temporary->descriptor, path, arena, &written, error))) {
        error->code = HVCI9007_CANNOT_WRITE;
    } else if (!span_is_equal(written.bytes, replacement->bytes)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                              "What was written for \"%s\" is not what came back from the disk.", path);
        error->cure = "Check that disk; nothing was changed.";
    } else if (replacement->accept && !replacement->accept(replacement->context, written.bytes)) {
        return FILE_NOT_ACCEPTED;
    } else {
        return FILE_WRITTEN;
    }
    return FILE_WRITE_FAILED;
}

/* Writes the temporary file and judges what is in it. The disk may take its time meanwhile; the file goes
 * nowhere before it has it. */
static enum file_write_result write_and_judge(const struct file_replacement *replacement, mode_t mode,
                                              const struct stat *old, struct temporary *temporary,
                                              struct arena *arena, struct finding *error)
{
    if (!temporary_fill(temporary, replacement->bytes, mode, old)) {
        *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Writing", replacement->path, errno);
        return FILE_WRITE_FAILED;
    }
    if (temporary->path)
        return judge_written(replacement, temporary, arena, error);
    flush_begin(temporary->descriptor);
    enum file_write_result result = judge_written(replacement, temporary, arena, error);
    if (result != FILE_WRITTEN)
        return result;
    if (flush_end(temporary->descriptor)) /* which may have taken long */
        return replacement->stop && atomic_load(replacement->stop) ? FILE_NOT_ACCEPTED : FILE_WRITTEN;
    *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Writing", replacement->path, errno);
    return FILE_WRITE_FAILED;
}

/* Makes a temporary file that has a name and what write_and_judge() wants. */
static enum file_write_result prepare(const struct file_replacement *replacement, const char *target_path,
                                      const struct stat *target, struct temporary *temporary,
                                      struct arena *arena, struct finding *error)
{
    struct file_replacement request = *replacement;
    const struct stat *old = target->st_mode != 0 ? target : NULL;
    mode_t mode = (old ? old->st_mode : replacement->mode) & PERMISSION_BITS;
    for (bool is_named = false; temporary_create(target_path, is_named, arena, temporary); is_named = true) {
        enum file_write_result result = write_and_judge(&request, mode, old, temporary, arena, error);
        if (result != FILE_WRITTEN || temporary->path || temporary_name(temporary, target_path, arena))
            return result;
        /* It cannot be named later; then with a name from the start. The same bytes are not judged twice. */
        temporary_remove(temporary);
        request.accept = NULL;
    }
    *error =
        posix_finding(arena, HVCI9007_CANNOT_WRITE, "Creating a temporary file beside", request.path, errno);
    return FILE_WRITE_FAILED;
}

/* Is the target still what was read? False with *error set. What somebody does between this question and the
 * rename that follows at once is not seen. */
static bool is_as_expected(const struct file_replacement *replacement, const char *target_path,
                           struct arena *arena, struct finding *error)
{
    struct stat now;
    if (!replacement->expected)
        return true;
    bool is_there = stat(target_path, &now) == 0;
    if (!is_there && errno != ENOENT) {
        *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Looking at", replacement->path, errno);
        return false;
    }
    struct file_state state = is_there ? posix_state(&now) : (struct file_state){0};
    if (is_there && file_state_is_equal(&state, replacement->expected))
        return true;
    *error = trouble_changed_finding(arena, replacement->path);
    return false;
}

/* Puts the temporary file in the target's place; false with *error set. */
static bool move_over(const struct file_replacement *replacement, const char *temporary_path,
                      const char *target_path, struct arena *arena, struct finding *error)
{
    struct file_identity temporary;
    bool is_known = file_identify(temporary_path, &temporary);
    if (!is_as_expected(replacement, target_path, arena, error))
        return false;
    if (replace_with(temporary_path, target_path, is_known ? &temporary : NULL))
        return true;
    *error = posix_finding(arena, HVCI9007_CANNOT_WRITE, "Replacing", replacement->path, errno);
    return false;
}

enum file_write_result file_replace(const struct file_replacement *replacement, struct arena *arena,
                                    struct finding *error)
{
    struct stat target;
    const char *target_path = find_target(replacement->path, arena, &target, error);
    if (!target_path)
        return FILE_WRITE_FAILED;
    const char *slash = strrchr(target_path, '/');
    const char *folder =
        slash ? arena_printf(arena, "%.*s", (int)(slash - target_path) + 1, target_path) : ".";
    struct temporary temporary = {.descriptor = -1};
    enum file_write_result result = prepare(replacement, target_path, &target, &temporary, arena, error);
    if (result == FILE_WRITTEN && !move_over(replacement, temporary.path, target_path, arena, error))
        result = FILE_WRITE_FAILED;
    if (result != FILE_WRITTEN)
        temporary_remove(&temporary);
    else if (replacement->is_relied_on)
        flush_folder(folder);
    return result;
}
