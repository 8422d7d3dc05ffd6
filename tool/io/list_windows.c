/* list_windows.c - the listing half of file.h on Windows.
 * Takes: paths in UTF-8.  Gives: sorted lists of files.  Must not: follow links to folders. */
#include "base/path_name.h"
#include "io/path_list.h"
#include "io/wide.h"

#include <string.h>

static bool is_folder(const char *path, struct arena *arena)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    DWORD attributes = wide_path ? GetFileAttributesW(wide_path) : INVALID_FILE_ATTRIBUTES;
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

/* Full paths of the files and of the folders in one folder, both sorted. False with the system's last error
 * set. */
static bool folder_names(const char *folder, struct arena *arena, struct path_list *names)
{
    const wchar_t *folder_path = wide_file_path(folder, arena);
    size_t folder_count = folder_path ? wcslen(folder_path) : 0;
    wchar_t *pattern = arena_array(arena, folder_count + 3, sizeof *pattern);
    if (!folder_path || !pattern)
        return false;
    memcpy(pattern, folder_path, folder_count * sizeof *pattern);
    bool is_open = folder_count != 0 && pattern[folder_count - 1] == L'\\';
    wcscpy(pattern + folder_count, is_open ? L"*" : L"\\*");
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE)
        return GetLastError() ==
               ERROR_FILE_NOT_FOUND; /* a disk without files; other folders hold "." at least */
    do {
        bool is_linked_folder = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                                (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        if (is_linked_folder || wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
            continue;
        const char *name = wide_to_utf8(found.cFileName, arena);
        if (name && path_is_temporary(name))
            continue;
        const char *path = name ? wide_child_path(folder, folder_path, found.cFileName, arena) : NULL;
        if (!path || !path_list_add(arena, names, path)) {
            FindClose(search);
            SetLastError(ERROR_NOT_ENOUGH_MEMORY);
            return false;
        }
    } while (FindNextFileW(search, &found));
    DWORD system_error = GetLastError();
    FindClose(search);
    SetLastError(system_error);
    path_list_sort(names);
    return system_error == ERROR_NO_MORE_FILES;
}

/* A folder that cannot be listed is put on the list itself, so that reading it says why and the others go on.
 */
static bool list_folder(const char *folder, struct arena *arena, struct path_list *list)
{
    struct path_list names = {0};
    if (!folder_names(folder, arena, &names))
        return !arena->exhausted && path_list_add(arena, list, folder);
    for (size_t i = 0; i < names.count; i++)
        if (is_folder(names.paths[i], arena) ? !list_folder(names.paths[i], arena, list)
                                             : !path_list_add(arena, list, names.paths[i]))
            return false;
    return true;
}

bool file_list(const char *path, struct arena *arena, struct path_list *list, struct finding *error)
{
    *list = (struct path_list){0};
    list->from_folder = is_folder(path, arena);
    if (list->from_folder ? list_folder(path, arena, list) : path_list_add(arena, list, path))
        return true;
    *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                          "There was not enough memory to list \"%s\".", path);
    return false;
}

bool file_siblings(const char *path, const char *suffix, struct arena *arena, struct path_list *list,
                   struct finding *error)
{
    size_t folder_nbytes = strlen(path);
    while (folder_nbytes != 0 && !strchr("\\/:", path[folder_nbytes - 1]))
        folder_nbytes--;
    const char *folder = folder_nbytes != 0 ? arena_printf(arena, "%.*s", (int)folder_nbytes, path) : ".\\";
    struct path_list names = {0};
    *list = (struct path_list){0};
    bool done = folder_names(folder, arena, &names);
    DWORD system_error = GetLastError();
    for (size_t i = 0; i < names.count && done; i++)
        if (path_has_suffix(names.paths[i], suffix) && !is_folder(names.paths[i], arena))
            done = path_list_add(arena, list, names.paths[i]);
    if (!done && arena->exhausted)
        system_error = ERROR_NOT_ENOUGH_MEMORY;
    if (!done)
        *error =
            finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                         "The files beside \"%s\" cannot be listed: Windows code %lu.", path, system_error);
    return done;
}
