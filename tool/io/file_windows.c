/* file_windows.c - file.h on Windows.
 * Takes: paths in UTF-8 of any length.  Gives: bytes or findings.
 * Must not: follow links to folders while listing, or leave a half-written target.
 * A file that was just linked is often held open by a scanner: what the system reports as shared or locked is
 * tried again with growing pauses for about ten seconds. */
#include "io/file.h"

#include "io/wide.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEMPORARY_TRIES = 100, FIRST_PAUSE_MS = 20, LONGEST_PAUSE_MS = 1000, PATIENCE_MS = 10000 };

static struct finding system_finding(struct arena *arena, enum finding_code code, const char *doing,
                                     const char *path, DWORD system_error)
{
    wchar_t wide_text[512];
    DWORD length =
        FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, system_error,
                       MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), wide_text, 512, NULL);
    while (length > 0 && (wide_text[length - 1] == L'\n' || wide_text[length - 1] == L'\r' ||
                          wide_text[length - 1] == L' ' || wide_text[length - 1] == L'.'))
        length--;
    wide_text[length < 512 ? length : 511] = 0;
    const char *reason = length != 0 ? wide_to_utf8(wide_text, arena) : NULL;
    struct finding finding =
        finding_make(arena, code, LEVEL_ERROR, "%s \"%s\" failed: %s (Windows code %lu).", doing, path,
                     reason ? reason : "no text for this reason", system_error);
    switch (system_error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        finding.cure = "Check the name; it is taken relative to the current folder.";
        break;
    case ERROR_ACCESS_DENIED:
    case ERROR_WRITE_PROTECT:
        finding.cure = "Run as a user who may use this file and its folder.";
        break;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        finding.cure =
            "Another program, perhaps a virus scanner, holds the file open; close it and run again.";
        break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        finding.cure = "Free some space on that disk; nothing was changed.";
        break;
    default:
        finding.cure = "The reason is the operating system's own; nothing was changed.";
    }
    return finding;
}

static bool is_worth_waiting(DWORD system_error, bool is_writing)
{
    switch (system_error) {
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_UNABLE_TO_REMOVE_REPLACED:
    case ERROR_UNABLE_TO_MOVE_REPLACEMENT:
    case ERROR_UNABLE_TO_MOVE_REPLACEMENT_2:
        return true;
    case ERROR_ACCESS_DENIED: /* what a scanner's hold looks like to a rename */
        return is_writing;
    default:
        return false;
    }
}

/* Sleeps before the next try; false when patience has run out. */
static bool pause_before_retry(DWORD *pause_ms, DWORD *waited_ms)
{
    if (*waited_ms >= PATIENCE_MS)
        return false;
    Sleep(*pause_ms);
    *waited_ms += *pause_ms;
    *pause_ms = *pause_ms * 2 < LONGEST_PAUSE_MS ? *pause_ms * 2 : LONGEST_PAUSE_MS;
    return true;
}

static HANDLE open_to_read(const wchar_t *path)
{
    DWORD pause_ms = FIRST_PAUSE_MS, waited_ms = 0;
    for (;;) {
        HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE || !is_worth_waiting(GetLastError(), false))
            return file;
        if (!pause_before_retry(&pause_ms, &waited_ms)) {
            SetLastError(ERROR_SHARING_VIOLATION);
            return file;
        }
    }
}

static bool file_identity(const char *path, struct arena *arena, BY_HANDLE_FILE_INFORMATION *identity)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    HANDLE file = wide_path
                      ? CreateFileW(wide_path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                    NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
                      : INVALID_HANDLE_VALUE;
    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool done = GetFileInformationByHandle(file, identity) != 0;
    CloseHandle(file);
    return done;
}

bool file_is_same(const char *a, const char *b)
{
    struct arena arena;
    arena_init(&arena, NULL);
    BY_HANDLE_FILE_INFORMATION a_file, b_file;
    bool same = file_identity(a, &arena, &a_file) && file_identity(b, &arena, &b_file) &&
                a_file.dwVolumeSerialNumber == b_file.dwVolumeSerialNumber &&
                a_file.nFileIndexHigh == b_file.nFileIndexHigh &&
                a_file.nFileIndexLow == b_file.nFileIndexLow;
    arena_free(&arena);
    return same;
}

static bool read_all(HANDLE file, size_t expected_nbytes, struct arena *arena, struct span *bytes)
{
    uint8_t *buffer = arena_alloc_unset(arena, expected_nbytes);
    if (!buffer) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    size_t done_nbytes = 0;
    while (done_nbytes < expected_nbytes) {
        size_t left_nbytes = expected_nbytes - done_nbytes;
        DWORD got_nbytes, ask_nbytes = left_nbytes > 0x40000000 ? 0x40000000 : (DWORD)left_nbytes;
        if (!ReadFile(file, buffer + done_nbytes, ask_nbytes, &got_nbytes, NULL))
            return false;
        if (got_nbytes == 0)
            break; /* the file has shrunk since its size was asked: what is there is judged */
        done_nbytes += got_nbytes;
    }
    *bytes = (struct span){buffer, done_nbytes};
    return true;
}

static bool refuse_kind(struct arena *arena, const char *path, const char *kind, struct finding *error)
{
    *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR, "\"%s\" is %s, not a file.", path, kind);
    error->cure = "Name a file.";
    return false;
}

static bool read_open(HANDLE file, const char *path, struct arena *arena, struct file_content *content,
                      struct finding *error)
{
    LARGE_INTEGER size;
    if (GetFileType(file) != FILE_TYPE_DISK)
        return refuse_kind(arena, path, "a device", error);
    if (!GetFileSizeEx(file, &size)) {
        *error = system_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, GetLastError());
        return false;
    }
    if (size.QuadPart > (LONGLONG)UINT32_MAX) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" has %lld bytes; a PE image ends below 4 GiB.", path,
                              (long long)size.QuadPart);
        error->cure = "Name a linked Windows image.";
        return false;
    }
    if (read_all(file, (size_t)size.QuadPart, arena, &content->bytes))
        return true;
    *error = system_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, GetLastError());
    return false;
}

bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    if (!wide_path) {
        *error = system_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, ERROR_INVALID_NAME);
        return false;
    }
    DWORD attributes = GetFileAttributesW(wide_path);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY))
        return refuse_kind(arena, path, "a folder", error);
    HANDLE file = open_to_read(wide_path);
    if (file == INVALID_HANDLE_VALUE) {
        *error = system_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, GetLastError());
        return false;
    }
    bool done = read_open(file, path, arena, content, error);
    CloseHandle(file);
    content->mode = 0; /* ReplaceFile keeps attributes and access rights by itself */
    content->is_read_only =
        attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_READONLY) != 0;
    return done;
}

/* The file that a symbolic link leads to, in the prefixed form; `path` itself when it is no link. */
static const wchar_t *follow_link(const wchar_t *path, DWORD attributes, struct arena *arena)
{
    if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
        return path;
    HANDLE file = open_to_read(path);
    if (file == INVALID_HANDLE_VALUE)
        return path;
    DWORD count = GetFinalPathNameByHandleW(file, NULL, 0, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
    wchar_t *final_path = count != 0 ? arena_array(arena, (size_t)count + 1, sizeof *final_path) : NULL;
    if (final_path &&
        GetFinalPathNameByHandleW(file, final_path, count + 1, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS) == 0)
        final_path = NULL;
    CloseHandle(file);
    return final_path ? final_path : path;
}

/* A new file in the folder of target_path. The name says whose it is, should a kill leave it. */
static HANDLE create_temporary(const wchar_t *target_path, struct arena *arena, wchar_t **temporary_path)
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
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        char name[48];
        int length = snprintf(name, sizeof name, ".hvcifix-%lu-%d.tmp", GetCurrentProcessId(), i);
        for (int k = 0; k <= length; k++)
            path[folder_count + (size_t)k] = (wchar_t)name[k];
        HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE || GetLastError() != ERROR_FILE_EXISTS)
            return file;
    }
    return INVALID_HANDLE_VALUE;
}

static bool fill_temporary(HANDLE file, struct span bytes)
{
    bool done = true;
    size_t done_nbytes = 0;
    while (done && done_nbytes < bytes.nbytes) {
        size_t left_nbytes = bytes.nbytes - done_nbytes;
        DWORD put_nbytes = 0, ask_nbytes = left_nbytes > 0x40000000 ? 0x40000000 : (DWORD)left_nbytes;
        done = WriteFile(file, bytes.bytes + done_nbytes, ask_nbytes, &put_nbytes, NULL) && put_nbytes != 0;
        done_nbytes += put_nbytes;
    }
    done = done && FlushFileBuffers(file);
    DWORD system_error = GetLastError();
    if (!CloseHandle(file) && done)
        return false;
    SetLastError(system_error);
    return done;
}

/* ReplaceFile keeps the target's access rights and attributes; MoveFileEx serves where there is no target, or
 * on file systems that cannot replace. */
static bool replace_with(const wchar_t *target_path, const wchar_t *temporary_path)
{
    DWORD pause_ms = FIRST_PAUSE_MS, waited_ms = 0;
    for (;;) {
        bool exists = GetFileAttributesW(target_path) != INVALID_FILE_ATTRIBUTES;
        if (exists &&
            ReplaceFileW(target_path, temporary_path, NULL, REPLACEFILE_IGNORE_MERGE_ERRORS, NULL, NULL))
            return true;
        DWORD system_error = exists ? GetLastError() : ERROR_NOT_SUPPORTED;
        if (!is_worth_waiting(system_error, true)) {
            if (MoveFileExW(temporary_path, target_path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
                return true;
            system_error = GetLastError();
        }
        if (!is_worth_waiting(system_error, true) || !pause_before_retry(&pause_ms, &waited_ms)) {
            SetLastError(system_error);
            return false;
        }
    }
}

static enum file_write_result fail_write(struct arena *arena, struct finding *error, const char *doing,
                                         const char *path, DWORD system_error)
{
    *error = system_finding(arena, HVCI9007_CANNOT_WRITE, doing, path, system_error);
    return FILE_WRITE_FAILED;
}

enum file_write_result file_replace(const char *path, struct span bytes, uint32_t mode,
                                    file_accept_fn *accept, void *context, struct arena *arena,
                                    struct finding *error)
{
    (void)mode;
    const wchar_t *target_path = wide_file_path(path, arena);
    if (!target_path)
        return fail_write(arena, error, "Writing", path, ERROR_INVALID_NAME);
    DWORD attributes = GetFileAttributesW(target_path);
    if (attributes != INVALID_FILE_ATTRIBUTES) {
        bool is_folder = (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        if (is_folder || (attributes & FILE_ATTRIBUTE_READONLY)) {
            *error = finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR, "\"%s\" is %s.", path,
                                  is_folder ? "a folder, not a file" : "read-only");
            error->cure = is_folder
                              ? "Name a file to write to."
                              : "Make the file writable first; a read-only file is left alone on purpose.";
            return FILE_WRITE_FAILED;
        }
        target_path = follow_link(target_path, attributes, arena);
    }

    wchar_t *temporary_path;
    HANDLE file = create_temporary(target_path, arena, &temporary_path);
    if (file == INVALID_HANDLE_VALUE)
        return fail_write(arena, error, "Creating a temporary file beside", path, GetLastError());
    struct file_content written;
    enum file_write_result result = FILE_WRITE_FAILED;
    const char *temporary_utf8 = wide_to_utf8(temporary_path, arena);
    if (!fill_temporary(file, bytes)) {
        fail_write(arena, error, "Writing", path, GetLastError());
    } else if (!temporary_utf8 || !file_read(temporary_utf8, arena, &written, error)) {
        fail_write(arena, error, "Reading back", path, GetLastError());
    } else if (!accept(context, written.bytes)) {
        result = FILE_NOT_ACCEPTED;
    } else if (!replace_with(target_path, temporary_path)) {
        fail_write(arena, error, "Replacing", path, GetLastError());
    } else {
        return FILE_WRITTEN;
    }
    DeleteFileW(temporary_path);
    return result;
}
