/* folder_windows.c - folder.h on Windows.
 * Takes: paths in UTF-8 of any length.  Gives: lists, folders and files.  Must not: follow links. */
#include "io/folder.h"

#include "io/file_windows.h"
#include "io/folder_list.h"
#include "io/path_list.h"

#include <stdio.h>

enum { TEMPORARY_TRIES = 1000, TICKS_PER_SECOND = 10000000, NS_PER_TICK = 100, ANY_WRITE_BITS = 0222 };
#define LAST_SECOND INT64_C(100000000000)
static const int64_t ticks_before_1970 = INT64_C(116444736000000000);
static const DWORD kept_attributes =
    FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;

static bool fail(struct arena *arena, struct finding *error, enum finding_code code, const char *doing,
                 const char *path)
{
    *error = windows_finding(arena, code, doing, path, GetLastError());
    return false;
}

static struct file_look look_of(const WIN32_FIND_DATAW *found)
{
    int64_t ticks = (int64_t)((uint64_t)found->ftLastWriteTime.dwHighDateTime << 32 |
                              found->ftLastWriteTime.dwLowDateTime) -
                    ticks_before_1970;
    int64_t part = ticks % TICKS_PER_SECOND;
    if (part < 0)
        part += TICKS_PER_SECOND;
    return (struct file_look){
        .written_s = (ticks - part) / TICKS_PER_SECOND,
        .written_ns = (uint32_t)part * NS_PER_TICK,
        .mode = found->dwFileAttributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0666,
        .attributes = found->dwFileAttributes & kept_attributes,
    };
}

/* What is in one folder, without what is deeper. */
static bool read_folder(const char *folder, const char *prefix, struct arena *arena, struct folder_list *list,
                        struct finding *error)
{
    const wchar_t *folder_path = wide_file_path(folder, arena);
    size_t count = folder_path ? wcslen(folder_path) : 0;
    wchar_t *pattern = folder_path ? arena_array(arena, count + 3, sizeof *pattern) : NULL;
    if (!pattern)
        return fail(arena, error, HVCI9006_CANNOT_READ, "Listing", folder);
    memcpy(pattern, folder_path, count * sizeof *pattern);
    wcscpy(pattern + count, count != 0 && pattern[count - 1] == L'\\' ? L"*" : L"\\*");
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND ||
               fail(arena, error, HVCI9006_CANNOT_READ, "Listing", folder);
    bool done = true;
    do {
        if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
            continue;
        const char *name = wide_to_utf8(found.cFileName, arena);
        if (name && path_is_temporary(name))
            continue;
        bool is_folder = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        struct folder_entry entry = {
            .name = name ? arena_printf(arena, "%s%s", prefix, name) : "",
            .path = name ? wide_child_path(folder, folder_path, found.cFileName, arena) : NULL,
            .kind = found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ? FOLDER_LINK
                    : is_folder                                           ? FOLDER_FOLDER
                                                                          : FOLDER_FILE,
            .look = look_of(&found),
            .nbytes = is_folder ? 0 : (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow,
        };
        done = entry.path && folder_list_add(arena, list, &entry);
        if (!done)
            SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    } while (done && FindNextFileW(search, &found));
    DWORD system_error = GetLastError();
    FindClose(search);
    SetLastError(system_error);
    return (done && system_error == ERROR_NO_MORE_FILES) ||
           fail(arena, error, HVCI9006_CANNOT_READ, "Listing", folder);
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
    struct folder_list list = {0};
    struct finding error;
    const wchar_t *wide_path = wide_file_path(path, arena);
    DWORD attributes = wide_path ? GetFileAttributesW(wide_path) : INVALID_FILE_ATTRIBUTES;
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return wide_path && (GetLastError() == ERROR_FILE_NOT_FOUND || GetLastError() == ERROR_PATH_NOT_FOUND)
                   ? FOLDER_AT_NOTHING
                   : FOLDER_AT_UNKNOWN;
    if (!(attributes & FILE_ATTRIBUTE_DIRECTORY))
        return FOLDER_AT_FILE;
    if (!read_folder(path, "", arena, &list, &error))
        return FOLDER_AT_UNKNOWN;
    return list.count == 0 ? FOLDER_AT_EMPTY : FOLDER_AT_FULL;
}

bool folder_holds(const char *folder, const char *path, struct arena *arena)
{
    const wchar_t *whole = wide_file_path(folder, arena), *there = wide_file_path(path, arena);
    size_t count = whole ? wcslen(whole) : 0;
    while (count > 3 && whole[count - 1] == L'\\')
        count--;
    return whole && there && _wcsnicmp(whole, there, count) == 0 &&
           (there[count] == 0 || there[count] == L'\\');
}

static const char *folder_part(const char *path, struct arena *arena)
{
    size_t nbytes = strlen(path);
    while (nbytes > 1 && strchr("\\/", path[nbytes - 1]))
        nbytes--;
    while (nbytes != 0 && !strchr("\\/:", path[nbytes - 1]))
        nbytes--;
    return nbytes != 0 ? arena_printf(arena, "%.*s", (int)nbytes, path) : ".\\";
}

const char *folder_create_temporary(const char *path, struct arena *arena, struct finding *error)
{
    const char *parent = folder_part(path, arena);
    for (DWORD i = 0; i < TEMPORARY_TRIES; i++) {
        const char *temporary =
            arena_printf(arena, "%s.hvcifix-%lu-%lu.tmp", parent, GetCurrentProcessId(), i);
        const wchar_t *wide_path = wide_file_path(temporary, arena);
        if (wide_path && CreateDirectoryW(wide_path, NULL))
            return temporary;
        if (!wide_path || GetLastError() != ERROR_ALREADY_EXISTS)
            break;
    }
    fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating a temporary folder beside", path);
    return NULL;
}

bool folder_create(const char *path, struct arena *arena, struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    if (wide_path && CreateDirectoryW(wide_path, NULL))
        return true;
    if (wide_path && GetLastError() == ERROR_ALREADY_EXISTS &&
        (GetFileAttributesW(wide_path) & FILE_ATTRIBUTE_DIRECTORY))
        return true;
    return fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating", path);
}

bool folder_put(const char *path, struct span bytes, const struct file_look *look, struct arena *arena,
                struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    HANDLE file =
        wide_path ? CreateFileW(wide_path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL)
                  : INVALID_HANDLE_VALUE;
    if (file == INVALID_HANDLE_VALUE)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Creating", path);
    bool done = true;
    for (size_t done_nbytes = 0; done && done_nbytes < bytes.nbytes;) {
        size_t left_nbytes = bytes.nbytes - done_nbytes;
        DWORD put_nbytes = 0, ask_nbytes = left_nbytes > 0x40000000 ? 0x40000000 : (DWORD)left_nbytes;
        done = WriteFile(file, bytes.bytes + done_nbytes, ask_nbytes, &put_nbytes, NULL);
        if (done && put_nbytes == 0) {
            SetLastError(ERROR_DISK_FULL);
            done = false;
        }
        done_nbytes += put_nbytes;
    }
    done = done && FlushFileBuffers(file);
    DWORD system_error = GetLastError();
    if (!CloseHandle(file) && done) {
        system_error = GetLastError();
        done = false;
    }
    SetLastError(system_error);
    if (!done)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Writing", path);
    return !look || folder_set_look(path, look, arena, error);
}

bool folder_set_look(const char *path, const struct file_look *look, struct arena *arena,
                     struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    HANDLE file = wide_path ? CreateFileW(wide_path, FILE_WRITE_ATTRIBUTES,
                                          FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                          OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
                            : INVALID_HANDLE_VALUE;
    if (file == INVALID_HANDLE_VALUE)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Setting the time of", path);
    bool keeps_time = look->written_s < 0 || look->written_s > LAST_SECOND; /* as no file system has */
    uint64_t ticks = keeps_time ? 0
                                : (uint64_t)(look->written_s * TICKS_PER_SECOND +
                                             look->written_ns / NS_PER_TICK + ticks_before_1970);
    FILETIME written = {(DWORD)ticks, (DWORD)(ticks >> 32)};
    bool done = keeps_time || SetFileTime(file, NULL, NULL, &written);
    DWORD system_error = GetLastError();
    CloseHandle(file);
    DWORD attributes = GetFileAttributesW(wide_path);
    DWORD wanted = look->attributes;
    if (look->mode != 0 && !(look->mode & ANY_WRITE_BITS) && !(attributes & FILE_ATTRIBUTE_DIRECTORY))
        wanted |= FILE_ATTRIBUTE_READONLY;
    if (done && attributes != INVALID_FILE_ATTRIBUTES && wanted != 0) {
        done = SetFileAttributesW(wide_path, (attributes & ~kept_attributes) | wanted);
        system_error = GetLastError();
    }
    SetLastError(system_error);
    return done || fail(arena, error, HVCI9007_CANNOT_WRITE, "Setting the time of", path);
}

bool folder_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error)
{
    const wchar_t *from = wide_file_path(path, arena), *to = wide_file_path(new_path, arena);
    struct windows_patience patience = {0};
    if (!from || !to)
        return fail(arena, error, HVCI9007_CANNOT_WRITE, "Giving the new folder the name", new_path);
    (void)RemoveDirectoryW(to); /* an empty one; nothing else goes by this */
    while (!MoveFileExW(from, to, MOVEFILE_WRITE_THROUGH))
        if (!windows_is_worth_waiting(GetLastError(), true) || !windows_pause(&patience))
            return fail(arena, error, HVCI9007_CANNOT_WRITE, "Giving the new folder the name", new_path);
    return true;
}

void folder_take_away(const char *path, bool is_folder, struct arena *arena)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    if (!wide_path)
        return;
    (void)SetFileAttributesW(wide_path, FILE_ATTRIBUTE_NORMAL);
    if (is_folder)
        (void)RemoveDirectoryW(wide_path);
    else
        (void)DeleteFileW(wide_path);
}

void folder_remove(const char *path, struct arena *arena)
{
    struct folder_list list;
    struct finding error;
    if (folder_walk(path, arena, &list, &error))
        for (size_t i = list.count; i-- > 0;)
            folder_take_away(list.items[i].path, list.items[i].kind == FOLDER_FOLDER, arena);
    folder_take_away(path, true, arena);
}
