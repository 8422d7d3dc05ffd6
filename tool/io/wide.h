/* wide.h - UTF-8 and UTF-16 on Windows, and paths of any length.
 * Takes: UTF-8 from inside the program, UTF-16 from the system.  Gives: the other.
 * Must not: let a "\\?\" prefix out; messages show paths as the user wrote them. Windows only. */
#ifndef HVCIFIX_IO_WIDE_H
#define HVCIFIX_IO_WIDE_H

#include "base/arena.h"

#include <wchar.h>

#include <windows.h>

/* NULL when memory ran out. Unpaired surrogates become U+FFFD. */
char *wide_to_utf8(const wchar_t *wide, struct arena *arena);
wchar_t *wide_from_utf8(const char *utf8, struct arena *arena);

/* The full path of `path` in a form that the wide file functions take at any length: "\\?\C:\..." or
 * "\\?\UNC\server\..."; device names and paths that already have a prefix stay as they are. NULL when memory
 * ran out or the path cannot be made full. */
const wchar_t *wide_file_path(const char *path, struct arena *arena);

#endif
