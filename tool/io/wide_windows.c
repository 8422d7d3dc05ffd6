/* wide_windows.c - wide.h.
 * Takes: strings.  Gives: converted strings in an arena.  Must not: open files. */
#include "io/wide.h"

#include "base/utf16.h"

#include <string.h>

_Static_assert(sizeof(wchar_t) == sizeof(uint16_t), "wide characters are UTF-16 units");

static const wchar_t local_prefix[] = L"\\\\?\\";
enum { PREFIX_COUNT = 4, UNC_PREFIX_COUNT = 7 /* "\\?\UNC", then one of the two backslashes */ };

char *wide_to_utf8(const wchar_t *wide, struct arena *arena)
{
    size_t nbytes;
    return utf16_to_utf8(wide, wcslen(wide), arena, &nbytes);
}

wchar_t *wide_from_utf8(const char *utf8, struct arena *arena)
{
    size_t count;
    return utf16_from_utf8(utf8, strlen(utf8), arena, &count);
}

static bool is_separator(int c)
{
    return c == '\\' || c == '/';
}

static bool has_prefix(const wchar_t *path, const wchar_t *prefix)
{
    return wcsncmp(path, prefix, wcslen(prefix)) == 0;
}

static const wchar_t *out_of_memory(void)
{
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
}

const wchar_t *wide_file_path(const char *path, struct arena *arena)
{
    if (path[0] == 0) {
        SetLastError(ERROR_PATH_NOT_FOUND);
        return NULL;
    }
    wchar_t *wide = wide_from_utf8(path, arena);
    if (!wide)
        return out_of_memory();
    if (has_prefix(wide, local_prefix))
        return wide;
    DWORD count = GetFullPathNameW(wide, 0, NULL, NULL);
    if (count == 0)
        return NULL;
    /* Room in front for the longest prefix. */
    wchar_t *buffer = arena_array(arena, (size_t)count + UNC_PREFIX_COUNT, sizeof *buffer);
    if (!buffer)
        return out_of_memory();
    wchar_t *full = buffer + UNC_PREFIX_COUNT;
    DWORD length = GetFullPathNameW(wide, count, full, NULL);
    if (length == 0 || length >= count) {
        SetLastError(ERROR_INVALID_NAME);
        return NULL;
    }
    if (has_prefix(full, L"\\\\.\\") || has_prefix(full, local_prefix))
        return full;
    if (has_prefix(full, L"\\\\")) {
        wchar_t *start = full + 1 - UNC_PREFIX_COUNT;
        memcpy(start, L"\\\\?\\UNC", UNC_PREFIX_COUNT * sizeof *start);
        return start;
    }
    memcpy(full - PREFIX_COUNT, local_prefix, PREFIX_COUNT * sizeof *full);
    return full - PREFIX_COUNT;
}

bool wide_is_device(const wchar_t *file_path)
{
    if (!has_prefix(file_path, L"\\\\.\\") && !has_prefix(file_path, local_prefix))
        return false;
    const wchar_t *name = file_path + PREFIX_COUNT;
    const wchar_t *separator = wcschr(name, L'\\');
    if (!separator)
        return true;
    return _wcsnicmp(name, L"pipe\\", 5) == 0 || _wcsnicmp(name, L"mailslot\\", 9) == 0;
}

/* Do both lead to the same place, as far as names tell? */
static bool is_same_place(const char *a, const char *b, struct arena *arena)
{
    const wchar_t *a_path = wide_file_path(a, arena);
    const wchar_t *b_path = wide_file_path(b, arena);
    return a_path && b_path && wcscmp(a_path, b_path) == 0;
}

static const char *without_prefix(const char *path, struct arena *arena)
{
    if (!is_separator(path[0]) || !is_separator(path[1]) || path[2] != '?' || !is_separator(path[3]))
        return path;
    const char *rest = path + PREFIX_COUNT;
    bool is_unc = _strnicmp(rest, "UNC", 3) == 0 && is_separator(rest[3]);
    const char *shorter = is_unc ? arena_printf(arena, "\\\\%s", rest + 4) : rest;
    return is_same_place(shorter, path, arena) ? shorter : path;
}

const char *wide_tidy_path(const char *path, struct arena *arena)
{
    const char *tidy = without_prefix(path, arena);
    size_t nbytes = strlen(tidy);
    while (nbytes != 0 && (tidy[nbytes - 1] == '.' || tidy[nbytes - 1] == ' '))
        nbytes--;
    if (tidy[nbytes] != 0) {
        const char *shorter = arena_copy_text(arena, tidy, nbytes);
        if (shorter && is_same_place(shorter, tidy, arena))
            tidy = shorter;
    }
    return arena->exhausted ? NULL : tidy;
}

const char *wide_child_path(const char *folder, const wchar_t *folder_path, const wchar_t *name,
                            struct arena *arena)
{
    size_t folder_nbytes = strlen(folder);
    bool is_open =
        folder_nbytes != 0 && (is_separator(folder[folder_nbytes - 1]) || folder[folder_nbytes - 1] == ':');
    const char *name_utf8 = wide_to_utf8(name, arena);
    const char *path =
        name_utf8 ? arena_printf(arena, "%s%s%s", folder, is_open ? "" : "\\", name_utf8) : NULL;
    const wchar_t *found = path ? wide_file_path(path, arena) : NULL;
    size_t parent_count = wcslen(folder_path), name_count = wcslen(name);
    bool is_root = parent_count != 0 && folder_path[parent_count - 1] == L'\\';
    wchar_t *exact = arena_array(arena, parent_count + name_count + 2, sizeof *exact);
    if (!exact || !path)
        return NULL;
    memcpy(exact, folder_path, parent_count * sizeof *exact);
    if (!is_root)
        exact[parent_count++] = L'\\';
    memcpy(exact + parent_count, name, name_count * sizeof *exact);
    if (!found || wcscmp(found, exact) != 0)
        path = wide_to_utf8(exact, arena);
    return arena->exhausted ? NULL : path;
}
