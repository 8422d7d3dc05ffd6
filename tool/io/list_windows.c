/* list_windows.c - the listing half of file.h on Windows.
 * Takes: paths in UTF-8.  Gives: sorted lists of files.  Must not: follow links to folders. */
#include "io/path_list.h"
#include "io/wide.h"

#include <string.h>

static bool is_folder(const char *path, struct arena *arena)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    DWORD attributes = wide_path ? GetFileAttributesW(wide_path) : INVALID_FILE_ATTRIBUTES;
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static bool ends_with_separator(const char *path)
{
    size_t nbytes = strlen(path);
    return nbytes != 0 && (path[nbytes - 1] == '\\' || path[nbytes - 1] == '/' || path[nbytes - 1] == ':');
}

/* Full paths of the files and of the folders in one folder, both sorted. *is_listed tells whether the folder
 * could be read at all. False only when memory ran out. */
static bool folder_names(const char *folder, struct arena *arena, struct path_list *names, bool *is_listed)
{
    const char *separator = ends_with_separator(folder) ? "" : "\\";
    const wchar_t *pattern = wide_file_path(arena_printf(arena, "%s%s*", folder, separator), arena);
    WIN32_FIND_DATAW found;
    HANDLE search = pattern ? FindFirstFileW(pattern, &found) : INVALID_HANDLE_VALUE;
    *is_listed = search != INVALID_HANDLE_VALUE;
    if (!*is_listed)
        return !arena->exhausted;
    do {
        if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
            continue;
        bool is_linked_folder = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                                (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        const char *name = is_linked_folder ? NULL : wide_to_utf8(found.cFileName, arena);
        if (name && !path_list_add(arena, names, arena_printf(arena, "%s%s%s", folder, separator, name)))
            break;
    } while (FindNextFileW(search, &found));
    FindClose(search);
    path_list_sort(names);
    return !arena->exhausted;
}

/* A folder that cannot be listed is put on the list itself, so that reading it says why and the others go on.
 */
static bool list_folder(const char *folder, struct arena *arena, struct path_list *list)
{
    struct path_list names = {0};
    bool is_listed;
    if (!folder_names(folder, arena, &names, &is_listed))
        return false;
    if (!is_listed)
        return path_list_add(arena, list, folder);
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

bool file_siblings(const char *path, const char *suffix, struct arena *arena, struct path_list *list)
{
    size_t folder_nbytes = strlen(path);
    while (folder_nbytes != 0 && !strchr("\\/:", path[folder_nbytes - 1]))
        folder_nbytes--;
    const char *folder = folder_nbytes != 0 ? arena_printf(arena, "%.*s", (int)folder_nbytes, path) : ".\\";
    struct path_list names = {0};
    bool is_listed;
    *list = (struct path_list){0};
    if (!folder_names(folder, arena, &names, &is_listed))
        return false;
    for (size_t i = 0; i < names.count; i++)
        if (path_has_suffix(names.paths[i], suffix) && !is_folder(names.paths[i], arena) &&
            !path_list_add(arena, list, names.paths[i]))
            return false;
    return true;
}
