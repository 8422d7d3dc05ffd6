/* wide_windows.c - wide.h.
 * Takes: strings.  Gives: converted strings in an arena.  Must not: change what the user sees. */
#include "io/wide.h"

#include <string.h>

char *wide_to_utf8(const wchar_t *wide, struct arena *arena)
{
    int nbytes = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *utf8 = nbytes > 0 ? arena_alloc(arena, (size_t)nbytes) : NULL;
    if (utf8)
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, utf8, nbytes, NULL, NULL);
    return utf8;
}

wchar_t *wide_from_utf8(const char *utf8, struct arena *arena)
{
    int count = MultiByteToWideChar(CP_UTF8, 0, utf8, -1, NULL, 0);
    wchar_t *wide = count > 0 ? arena_array(arena, (size_t)count, sizeof *wide) : NULL;
    if (wide)
        MultiByteToWideChar(CP_UTF8, 0, utf8, -1, wide, count);
    return wide;
}

static bool has_prefix(const wchar_t *path, const wchar_t *prefix)
{
    return wcsncmp(path, prefix, wcslen(prefix)) == 0;
}

const wchar_t *wide_file_path(const char *path, struct arena *arena)
{
    wchar_t *wide = wide_from_utf8(path, arena);
    if (!wide || has_prefix(wide, L"\\\\?\\"))
        return wide;
    DWORD count = GetFullPathNameW(wide, 0, NULL, NULL);
    if (count == 0)
        return NULL;
    /* Eight more for the longest prefix, which takes the place of the first two characters of a UNC path. */
    wchar_t *buffer = arena_array(arena, (size_t)count + 8, sizeof *buffer);
    if (!buffer)
        return NULL;
    wchar_t *full = buffer + 8;
    DWORD length = GetFullPathNameW(wide, count, full, NULL);
    if (length == 0 || length >= count)
        return NULL;
    if (has_prefix(full, L"\\\\.\\") || has_prefix(full, L"\\\\?\\"))
        return full; /* a device such as NUL */
    if (has_prefix(full, L"\\\\")) {
        static const wchar_t unc[] = L"\\\\?\\UNC"; /* 7 characters, then one of the two backslashes */
        wchar_t *start = full + 1 - 7;
        memcpy(start, unc, 7 * sizeof *unc);
        return start;
    }
    static const wchar_t local[] = L"\\\\?\\";
    memcpy(full - 4, local, 4 * sizeof *local);
    return full - 4;
}
