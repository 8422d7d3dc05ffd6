/* path_name.c - see path_name.h. */
#include "base/path_name.h"

#include "base/text.h"

#include <string.h>

bool path_is_separator(char c)
{
    return c == '/' || c == '\\';
}

const char *path_last_part(const char *path)
{
    const char *last = path;
    for (; *path; path++)
        if (path_is_separator(*path))
            last = path + 1;
    return last;
}

const char *path_last_named_part(const char *path)
{
    const char *last = path;
    for (; *path; path++)
        if (path_is_separator(*path) && path[1] != 0)
            last = path + 1;
    return last;
}

size_t path_folder_nbytes(const char *path)
{
    return (size_t)(path_last_part(path) - path);
}

const char *path_file_name(const char *path)
{
    const char *name = path_last_part(path), *inside = strrchr(name, '!');
    return inside ? inside + 1 : name;
}

const char *path_beside(struct arena *arena, const char *path, const char *name)
{
    return arena_printf(arena, "%.*s%s", (int)path_folder_nbytes(path), path, name);
}

const char *path_with_suffix(struct arena *arena, const char *path, const char *suffix)
{
    const char *dot = strrchr(path_last_part(path), '.');
    size_t stem_nbytes = dot ? (size_t)(dot - path) : strlen(path);
    return arena_printf(arena, "%.*s%s", (int)stem_nbytes, path, suffix);
}

bool path_has_suffix(const char *path, const char *suffix)
{
    size_t path_nbytes = strlen(path), suffix_nbytes = strlen(suffix);
    return path_nbytes >= suffix_nbytes && text_same_word(path + path_nbytes - suffix_nbytes, suffix);
}

bool path_is_image_name(const char *path)
{
    static const char *const suffixes[] = {".sys", ".dll", ".exe", ".efi"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (path_has_suffix(path, suffixes[i]))
            return true;
    return false;
}
