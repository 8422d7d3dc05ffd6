/* wide.h - UTF-16 names and paths of any length on Windows.
 * Takes: UTF-8 from inside the program, UTF-16 from the system.  Gives: the other.
 * Must not: let a "\\?\" prefix out where another form names the same file. Windows only. */
#ifndef HVCIFIX_IO_WIDE_H
#define HVCIFIX_IO_WIDE_H

#include "base/arena.h"

#include <wchar.h>

#include <windows.h>

/* Every name has its own form in UTF-8 and comes back from it (base/utf16.h). NULL when memory ran out. */
char *wide_to_utf8(const wchar_t *wide, struct arena *arena);
wchar_t *wide_from_utf8(const char *utf8, struct arena *arena);

/* The full path of `path` in a form that the wide file functions take at any length: "\\?\C:\..." or
 * "\\?\UNC\server\..."; device names and paths that already have a prefix stay as they are. Made full as
 * every Windows program does it: a drive without backslash means its current folder, "/" is a separator, "."
 * and ".." are resolved, dots and blanks at the end are dropped, NUL and CON are devices. NULL, with the
 * system's last error set, when memory ran out or the path cannot be made full. */
const wchar_t *wide_file_path(const char *path, struct arena *arena);

/* Does a path from wide_file_path() name a device, a pipe or a whole disk? Opening one can wait, or do
 * something. */
bool wide_is_device(const wchar_t *file_path);

/* The form in which a path that the user gave is shown and used: without a "\\?\" prefix, and without dots
 * and blanks at the end, unless the path would then lead elsewhere. NULL when memory ran out. */
const char *wide_tidy_path(const char *path, struct arena *arena);

/* The path of what a folder holds under this name: folder, separator and name; with the prefix where only
 * that leads there (a name that ends with a dot, or that is a device's). `folder_path` is
 * wide_file_path(folder). NULL when memory ran out. */
const char *wide_child_path(const char *folder, const wchar_t *folder_path, const wchar_t *name,
                            struct arena *arena);

#endif
