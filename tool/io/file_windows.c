/* file_windows.c - the reading half of file.h on Windows.
 * Takes: paths in UTF-8 of any length.  Gives: bytes or findings.  Must not: write.
 * A file that was just linked is often held open by a scanner: what the system reports as shared or locked is
 * tried again with growing pauses for about ten seconds. */
#include "io/file_windows.h"

#include "io/trouble.h"
#include "io/wide.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_PAUSE_MS = 20, LONGEST_PAUSE_MS = 1000, PATIENCE_MS = 10000 };

static enum trouble trouble_of(DWORD system_error)
{
    switch (system_error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_INVALID_DRIVE:
        return TROUBLE_MISSING;
    case ERROR_ACCESS_DENIED:
        return TROUBLE_DENIED;
    case ERROR_WRITE_PROTECT:
        return TROUBLE_PROTECTED;
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_CANT_RESOLVE_FILENAME:
        return TROUBLE_NAME;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
        return TROUBLE_HELD;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return TROUBLE_FULL;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return TROUBLE_MEMORY;
    default:
        return TROUBLE_OTHER;
    }
}

struct finding windows_finding(struct arena *arena, enum finding_code code, const char *doing,
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
    const char *words = length != 0 ? wide_to_utf8(wide_text, arena) : NULL;
    return trouble_finding(arena, code, doing, path, trouble_of(system_error),
                           words ? words : "no text for this reason", system_error);
}

bool windows_is_worth_waiting(DWORD system_error, bool is_writing)
{
    switch (system_error) {
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        return true;
    case ERROR_ACCESS_DENIED: /* what a scanner's hold looks like to a rename */
        return is_writing;
    default:
        return false;
    }
}

bool windows_pause(struct windows_patience *patience)
{
    if (patience->waited_ms >= PATIENCE_MS)
        return false;
    if (patience->pause_ms == 0)
        patience->pause_ms = FIRST_PAUSE_MS;
    Sleep(patience->pause_ms);
    patience->waited_ms += patience->pause_ms;
    patience->pause_ms =
        patience->pause_ms * 2 < LONGEST_PAUSE_MS ? patience->pause_ms * 2 : LONGEST_PAUSE_MS;
    return true;
}

HANDLE windows_open_to_read(const wchar_t *path)
{
    struct windows_patience patience = {0};
    for (;;) {
        HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE || !windows_is_worth_waiting(GetLastError(), false))
            return file;
        if (!windows_pause(&patience)) {
            SetLastError(ERROR_SHARING_VIOLATION);
            return file;
        }
    }
}

struct file_state windows_state(const BY_HANDLE_FILE_INFORMATION *found)
{
    return (struct file_state){.identity = {found->dwVolumeSerialNumber,
                                            (uint64_t)found->nFileIndexHigh << 32 | found->nFileIndexLow},
                               .nbytes = (uint64_t)found->nFileSizeHigh << 32 | found->nFileSizeLow,
                               .written_at = (uint64_t)found->ftLastWriteTime.dwHighDateTime << 32 |
                                             found->ftLastWriteTime.dwLowDateTime};
}

HANDLE windows_open_to_ask(const wchar_t *path)
{
    return CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

bool file_identify(const char *path, struct file_identity *identity)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const wchar_t *wide_path = wide_file_path(path, &arena);
    if (wide_path && wide_is_device(wide_path)) { /* it has no identity, and is no file */
        arena_free(&arena);
        *identity = (struct file_identity){UINT64_MAX, UINT64_MAX};
        return true;
    }
    HANDLE file = wide_path ? windows_open_to_ask(wide_path) : INVALID_HANDLE_VALUE;
    arena_free(&arena);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    BY_HANDLE_FILE_INFORMATION found;
    bool done = GetFileInformationByHandle(file, &found) != 0;
    CloseHandle(file);
    if (done)
        *identity = windows_state(&found).identity;
    return done;
}

bool file_is_absent(const char *path)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const wchar_t *wide_path = wide_file_path(path, &arena);
    bool is_known = wide_path || !arena.exhausted;
    bool is_there = wide_path && GetFileAttributesW(wide_path) != INVALID_FILE_ATTRIBUTES;
    enum trouble trouble = wide_path ? trouble_of(GetLastError()) : TROUBLE_NAME;
    arena_free(&arena);
    return is_known && !is_there &&
           (trouble == TROUBLE_MISSING || trouble == TROUBLE_NAME || trouble == TROUBLE_DENIED);
}

/* Reads at most `expected_nbytes`; fewer when the file ends before. */
static bool read_all(HANDLE file, size_t expected_nbytes, struct arena *arena, struct span *bytes)
{
    uint8_t *buffer = arena_alloc_unset(arena, expected_nbytes);
    if (!buffer) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    struct windows_patience patience = {0};
    size_t done_nbytes = 0;
    while (done_nbytes < expected_nbytes) {
        size_t left_nbytes = expected_nbytes - done_nbytes;
        DWORD got_nbytes, ask_nbytes = left_nbytes > 0x40000000 ? 0x40000000 : (DWORD)left_nbytes;
        if (!ReadFile(file, buffer + done_nbytes, ask_nbytes, &got_nbytes, NULL)) {
            if (GetLastError() == ERROR_LOCK_VIOLATION && windows_pause(&patience))
                continue;
            return false;
        }
        if (got_nbytes == 0)
            break;
        done_nbytes += got_nbytes;
    }
    *bytes = (struct span){buffer, done_nbytes};
    return true;
}

static bool refuse_kind(struct arena *arena, const char *path, const char *kind, struct finding *error)
{
    *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR, "\"%s\" is %s, not a file.", path, kind);
    error->cure = strcmp(kind, "a folder") == 0 ? FILE_FOLDER_CURE : "Name a file.";
    return false;
}

static bool read_open(HANDLE file, const char *path, struct arena *arena, struct file_content *content,
                      struct finding *error)
{
    LARGE_INTEGER size;
    BY_HANDLE_FILE_INFORMATION found;
    DWORD type = GetFileType(file);
    if (type != FILE_TYPE_DISK)
        return refuse_kind(arena, path, type == FILE_TYPE_PIPE ? "a pipe" : "a device", error);
    if (!GetFileInformationByHandle(file, &found) || !GetFileSizeEx(file, &size)) {
        *error = windows_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, GetLastError());
        return false;
    }
    if (size.QuadPart > (LONGLONG)UINT32_MAX) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" has %lld bytes; a PE image ends below 4 GiB.", path,
                              (long long)size.QuadPart);
        error->cure = "Name a linked Windows image.";
        return false;
    }
    if (!read_all(file, (size_t)size.QuadPart, arena, &content->bytes)) {
        *error = windows_finding(arena, HVCI9006_CANNOT_READ, "Reading", path, GetLastError());
        return false;
    }
    if (content->bytes.nbytes != (size_t)size.QuadPart) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "\"%s\" became shorter while it was read.", path);
        error->cure = "Run again when no other program writes to the file.";
        return false;
    }
    content->state = windows_state(&found);
    return true;
}

bool windows_read(const wchar_t *wide_path, const char *path, struct arena *arena,
                  struct file_content *content, struct finding *error)
{
    if (wide_is_device(wide_path))
        return refuse_kind(arena, path, "a device", error);
    DWORD attributes = GetFileAttributesW(wide_path);
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY))
        return refuse_kind(arena, path, "a folder", error);
    HANDLE file = windows_open_to_read(wide_path);
    if (file == INVALID_HANDLE_VALUE) {
        *error = windows_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, GetLastError());
        return false;
    }
    bool done = read_open(file, path, arena, content, error);
    CloseHandle(file);
    content->mode = 0; /* replace_windows.c keeps attributes and access rights by itself */
    content->is_read_only =
        attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_READONLY) != 0;
    return done;
}

bool file_read(const char *path, struct arena *arena, struct file_content *content, struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    if (wide_path)
        return windows_read(wide_path, path, arena, content, error);
    *error = windows_finding(arena, HVCI9006_CANNOT_READ, "Opening", path, windows_name_error(arena));
    return false;
}
