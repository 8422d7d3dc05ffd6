/* set_aside_windows.c - taking a file away from its name, on Windows.
 * Takes: paths in UTF-8 of any length.  Gives: success or a finding.  Must not: give up at once when a
 * scanner holds the file; follow a link. */
#include "io/file_windows.h"

static bool fail(struct arena *arena, struct finding *error, const char *doing, const char *path,
                 DWORD system_error)
{
    *error = windows_finding(arena, HVCI9007_CANNOT_WRITE, doing, path, system_error);
    return false;
}

bool file_rename(const char *path, const char *new_path, struct arena *arena, struct finding *error)
{
    const wchar_t *from = wide_file_path(path, arena);
    const wchar_t *to = from ? wide_file_path(new_path, arena) : NULL;
    struct windows_patience patience = {0};
    if (!to)
        return fail(arena, error, "Renaming", path, windows_name_error(arena));
    while (!MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING)) {
        DWORD system_error = GetLastError();
        if (!windows_is_worth_waiting(system_error, true) || !windows_pause(&patience))
            return fail(arena, error, "Renaming", path, system_error);
    }
    return true;
}

bool file_remove(const char *path, struct arena *arena, struct finding *error)
{
    const wchar_t *wide_path = wide_file_path(path, arena);
    struct windows_patience patience = {0};
    if (!wide_path)
        return fail(arena, error, "Deleting", path, windows_name_error(arena));
    while (!DeleteFileW(wide_path)) {
        DWORD system_error = GetLastError();
        if (!windows_is_worth_waiting(system_error, true) || !windows_pause(&patience))
            return fail(arena, error, "Deleting", path, system_error);
    }
    return true;
}
