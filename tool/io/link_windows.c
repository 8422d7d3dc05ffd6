/* link_windows.c - where a symbolic link leads, on Windows.
 * Takes: paths.  Gives: paths.  Must not: follow the links of the folders on the way. */
#include "io/file_windows.h"

const wchar_t *windows_follow_link(const wchar_t *path, struct arena *arena)
{
    HANDLE file = windows_open_to_read(path);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    DWORD count = GetFinalPathNameByHandleW(file, NULL, 0, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
    wchar_t *final_path = count != 0 ? arena_array(arena, (size_t)count + 1, sizeof *final_path) : NULL;
    DWORD system_error = final_path || count == 0 ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
    if (final_path) {
        DWORD length =
            GetFinalPathNameByHandleW(file, final_path, count + 1, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
        if (length == 0 || length > count)
            final_path = NULL;
    }
    if (system_error == ERROR_SUCCESS)
        system_error = GetLastError();
    CloseHandle(file);
    SetLastError(system_error);
    return final_path;
}

const char *file_link_target(const char *path, struct arena *arena, struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    DWORD system_error = wide_path ? ERROR_SUCCESS : windows_name_error(arena);
    if (wide_path && wide_is_device(wide_path))
        return path;
    DWORD attributes = wide_path ? GetFileAttributesW(wide_path) : INVALID_FILE_ATTRIBUTES;
    if (wide_path && attributes == INVALID_FILE_ATTRIBUTES)
        system_error = GetLastError();
    if (attributes != INVALID_FILE_ATTRIBUTES) {
        if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT) || (attributes & FILE_ATTRIBUTE_DIRECTORY))
            return path;
        const wchar_t *target_path = windows_follow_link(wide_path, arena);
        system_error = target_path ? ERROR_NOT_ENOUGH_MEMORY : GetLastError();
        const char *target = target_path ? wide_to_utf8(target_path, arena) : NULL;
        target = target ? wide_tidy_path(target, arena) : NULL;
        if (target)
            return target;
    }
    *error = windows_finding(arena, HVCI9006_CANNOT_READ, "Following", path, system_error);
    return NULL;
}
