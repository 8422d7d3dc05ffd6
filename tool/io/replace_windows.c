/* replace_windows.c - the replacing half of file.h on Windows.
 * Takes: paths in UTF-8 of any length, bytes.  Gives: a replaced file or findings.
 * Must not: leave a half-written target, or delete the only whole file that is left. */
#include "io/file_windows.h"
#include "io/trouble.h"

#include <aclapi.h>
#include <stdio.h>

enum { TEMPORARY_TRIES = 100 };

static enum file_write_result fail_write(struct arena *arena, struct finding *error, const char *doing,
                                         const char *path, DWORD system_error)
{
    *error = windows_finding(arena, HVCI9007_CANNOT_WRITE, doing, path, system_error);
    return FILE_WRITE_FAILED;
}

/* The file that is to be replaced: `path`, or what a link leads to; *attributes are its own, or
 * INVALID_FILE_ATTRIBUTES when it does not exist. NULL with *error set when there is something that must not
 * be replaced, or when the system does not tell what is there: a link that is not followed would be replaced
 * itself. */
static const wchar_t *find_target(const char *path, struct arena *arena, DWORD *attributes,
                                  struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    if (!wide_path) {
        fail_write(arena, error, "Writing", path, windows_name_error(arena));
        return NULL;
    }
    *attributes = INVALID_FILE_ATTRIBUTES;
    if (wide_is_device(wide_path)) {
        *error =
            finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is a device, not a file.", path);
        error->cure = "Name a file to write to.";
        return NULL;
    }
    *attributes = GetFileAttributesW(wide_path);
    if (*attributes == INVALID_FILE_ATTRIBUTES) {
        DWORD system_error = GetLastError();
        if (system_error == ERROR_FILE_NOT_FOUND || system_error == ERROR_PATH_NOT_FOUND)
            return wide_path; /* where the folder is missing too, the temporary file cannot be created */
        fail_write(arena, error, "Looking at", path, system_error);
        return NULL;
    }
    const wchar_t *target_path = wide_path;
    if ((*attributes & FILE_ATTRIBUTE_REPARSE_POINT) && !(*attributes & FILE_ATTRIBUTE_DIRECTORY)) {
        target_path = windows_follow_link(wide_path, arena);
        if (target_path)
            *attributes = GetFileAttributesW(target_path);
        if (!target_path || *attributes == INVALID_FILE_ATTRIBUTES) {
            fail_write(arena, error, "Following", path, GetLastError());
            return NULL;
        }
    }
    bool is_folder = (*attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    if (is_folder || (*attributes & FILE_ATTRIBUTE_READONLY)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is %s.", path,
                              is_folder ? "a folder, not a file" : "read-only");
        error->cure = is_folder ? "Name a file to write to."
                                : "Make the file writable first; a read-only file is left alone on purpose.";
        return NULL;
    }
    return target_path;
}

static void remove_temporary(const wchar_t *temporary_path)
{
    struct windows_patience patience = {0};
    while (!DeleteFileW(temporary_path) && windows_is_worth_waiting(GetLastError(), true) &&
           windows_pause(&patience))
        ;
}

/* Gives the new file what a copy does not bring along: the old one's access rights and time of creation. What
 * the file system has none of, or this user may not set, stays as it is for new files. */
static void inherit(const wchar_t *target_path, const wchar_t *temporary_path)
{
    const DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE target = CreateFileW(target_path, READ_CONTROL | FILE_READ_ATTRIBUTES, share_all, NULL,
                                OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (target == INVALID_HANDLE_VALUE)
        return;
    HANDLE file = CreateFileW(temporary_path, READ_CONTROL | WRITE_DAC | FILE_WRITE_ATTRIBUTES, share_all,
                              NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    FILETIME created;
    PACL list;
    PSECURITY_DESCRIPTOR descriptor;
    if (file != INVALID_HANDLE_VALUE) {
        if (GetFileTime(target, &created, NULL, NULL))
            SetFileTime(file, &created, NULL, NULL);
        if (GetSecurityInfo(target, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL,
                            &descriptor) == ERROR_SUCCESS) {
            SECURITY_DESCRIPTOR_CONTROL control = 0;
            DWORD revision;
            GetSecurityDescriptorControl(descriptor, &control, &revision);
            SetSecurityInfo(file, SE_FILE_OBJECT,
                            DACL_SECURITY_INFORMATION |
                                (control & SE_DACL_PROTECTED ? PROTECTED_DACL_SECURITY_INFORMATION
                                                             : UNPROTECTED_DACL_SECURITY_INFORMATION),
                            NULL, NULL, list, NULL);
            LocalFree(descriptor);
        }
        CloseHandle(file);
    }
    CloseHandle(target);
}

/* The new file begins as a copy of the old one, which brings attributes and named streams along. Both may be
 * held by a scanner for a moment. */
static HANDLE begin_as_copy(const wchar_t *target_path, const wchar_t *temporary_path)
{
    struct windows_patience patience = {0};
    while (!CopyFileW(target_path, temporary_path, TRUE))
        if (!windows_is_worth_waiting(GetLastError(), false) || !windows_pause(&patience))
            return INVALID_HANDLE_VALUE;
    inherit(target_path, temporary_path);
    for (;;) {
        HANDLE file =
            CreateFileW(temporary_path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE)
            return file;
        if (!windows_is_worth_waiting(GetLastError(), true) || !windows_pause(&patience))
            break;
    }
    DWORD system_error = GetLastError();
    remove_temporary(temporary_path);
    SetLastError(system_error);
    return INVALID_HANDLE_VALUE;
}

/* A new file in the folder of target_path. The name says whose it is, should a kill leave it. */
static HANDLE create_temporary(const wchar_t *target_path, bool has_target, struct arena *arena,
                               wchar_t **temporary_path)
{
    const wchar_t *slash = wcsrchr(target_path, L'\\');
    size_t folder_count = slash ? (size_t)(slash - target_path) + 1 : 0;
    wchar_t *path = arena_array(arena, folder_count + 64, sizeof *path);
    *temporary_path = path;
    if (!path) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return INVALID_HANDLE_VALUE;
    }
    memcpy(path, target_path, folder_count * sizeof *path);
    for (DWORD i = 0; i < TEMPORARY_TRIES; i++) {
        char name[48];
        /* By thread: a name that another thread is just giving up can be refused as "access denied". */
        int length = snprintf(name, sizeof name, ".hvcifix-%lu-%lu.tmp", GetCurrentProcessId(),
                              GetCurrentThreadId() + i);
        for (int k = 0; k <= length; k++)
            path[folder_count + (size_t)k] = (wchar_t)name[k];
        HANDLE file =
            has_target ? begin_as_copy(target_path, path)
                       : CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE || GetLastError() != ERROR_FILE_EXISTS)
            return file;
    }
    return INVALID_HANDLE_VALUE;
}

/* Writes, cuts off what the file held behind that, flushes to the disk, closes. */
static bool fill_temporary(HANDLE file, struct span bytes)
{
    bool done = true;
    size_t done_nbytes = 0;
    while (done && done_nbytes < bytes.nbytes) {
        size_t left_nbytes = bytes.nbytes - done_nbytes;
        DWORD put_nbytes = 0, ask_nbytes = left_nbytes > 0x40000000 ? 0x40000000 : (DWORD)left_nbytes;
        done = WriteFile(file, bytes.bytes + done_nbytes, ask_nbytes, &put_nbytes, NULL);
        if (done && put_nbytes == 0) {
            SetLastError(ERROR_DISK_FULL);
            done = false;
        }
        done_nbytes += put_nbytes;
    }
    done = done && SetEndOfFile(file) && FlushFileBuffers(file);
    DWORD system_error = GetLastError();
    if (!CloseHandle(file) && done)
        return false;
    SetLastError(system_error);
    return done;
}

static bool exists(const wchar_t *path)
{
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

enum look { AS_EXPECTED, CHANGED, GONE, NOT_TOLD };

/* Is the target still what was read? NOT_TOLD with GetLastError() set. What somebody does between this
 * question and the rename that follows at once is not seen. */
static enum look look_at_target(const struct file_state *expected, const wchar_t *target_path)
{
    if (!expected)
        return AS_EXPECTED;
    HANDLE file = windows_open_to_ask(target_path);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? GONE : NOT_TOLD;
    BY_HANDLE_FILE_INFORMATION found;
    bool is_told = GetFileInformationByHandle(file, &found);
    DWORD system_error = GetLastError();
    CloseHandle(file);
    SetLastError(system_error);
    if (!is_told)
        return NOT_TOLD;
    struct file_state state = windows_state(&found);
    return file_state_is_equal(&state, expected) ? AS_EXPECTED : CHANGED;
}

enum replace_result { REPLACED, NOT_REPLACED /* GetLastError() is set */, TARGET_CHANGED };

/* Renames the temporary file over the target. ReplaceFile is not used for it: it takes the name from the old
 * file before it gives it to the new one, and a kill in between leaves no file of that name. */
static enum replace_result replace_with(const wchar_t *target_path, const wchar_t *temporary_path,
                                        const struct file_state *expected)
{
    struct windows_patience patience = {0};
    for (bool is_tried = false;; is_tried = true) {
        enum look look = look_at_target(expected, target_path);
        if (look == CHANGED || (look == GONE && !is_tried)) /* a try may delete it: keep_temporary() */
            return TARGET_CHANGED;
        if (look == NOT_TOLD)
            return NOT_REPLACED;
        if (MoveFileExW(temporary_path, target_path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            return REPLACED;
        DWORD system_error = GetLastError();
        if (!windows_is_worth_waiting(system_error, true) || !windows_pause(&patience)) {
            SetLastError(system_error);
            return NOT_REPLACED;
        }
    }
}

/* Some file systems (FAT) delete the target and then rename, and may fail in between. The new file is then
 * the only one: it stays, and the message names it. */
static void keep_temporary(struct finding *error, const char *path, const wchar_t *temporary_path,
                           struct arena *arena)
{
    const wchar_t *name = wcsrchr(temporary_path, L'\\');
    const char *name_utf8 = wide_to_utf8(name ? name + 1 : temporary_path, arena);
    *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                          "\"%s\" could not be replaced and may be gone; the new file is in the same folder "
                          "and is named %s.",
                          path, name_utf8 ? name_utf8 : ".hvcifix-*.tmp");
    error->cure = "Where the old file is gone, rename the new one; it is whole and verified.";
}

enum file_write_result file_replace(const struct file_replacement *replacement, struct arena *arena,
                                    struct finding *error)
{
    const char *path = replacement->path;
    DWORD attributes;
    const wchar_t *target_path = find_target(path, arena, &attributes, error);
    if (!target_path)
        return FILE_WRITE_FAILED;
    bool has_target = attributes != INVALID_FILE_ATTRIBUTES;
    wchar_t *temporary_path;
    HANDLE file = create_temporary(target_path, has_target, arena, &temporary_path);
    if (file == INVALID_HANDLE_VALUE)
        return fail_write(arena, error, "Creating a temporary file beside", path, GetLastError());
    struct file_content written;
    enum file_write_result result = FILE_WRITE_FAILED;
    if (!fill_temporary(file, replacement->bytes)) {
        fail_write(arena, error, "Writing", path, GetLastError());
    } else if (!windows_read(temporary_path, path, arena, &written, error)) {
        error->code = HVCI9007_CANNOT_WRITE;
    } else if (!span_is_equal(written.bytes, replacement->bytes)) {
        *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                              "What was written for \"%s\" is not what came back from the disk.", path);
        error->cure = "Check that disk; nothing was changed.";
    } else if (replacement->accept && !replacement->accept(replacement->context, written.bytes)) {
        result = FILE_NOT_ACCEPTED;
    } else {
        enum replace_result replaced = replace_with(target_path, temporary_path, replacement->expected);
        if (replaced == REPLACED)
            return FILE_WRITTEN;
        fail_write(arena, error, "Replacing", path, GetLastError());
        if (replaced == TARGET_CHANGED) {
            *error = trouble_changed_finding(arena, path);
        } else if (has_target && !exists(target_path)) {
            keep_temporary(error, path, temporary_path, arena);
            return FILE_WRITE_FAILED;
        }
    }
    remove_temporary(temporary_path);
    return result;
}
