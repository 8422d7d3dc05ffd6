/* path_list.c - building a list of paths.
 * Takes: paths.  Gives: struct path_list.  Must not: touch the file system. */
#include "io/path_list.h"

#include <stdlib.h>
#include <string.h>

bool path_list_add(struct arena *arena, struct path_list *list, const char *path)
{
    const char **paths =
        arena_grow(arena, (void *)list->paths, list->count, &list->capacity, list->count + 1, sizeof *paths);
    if (!paths)
        return false;
    list->paths = paths;
    list->paths[list->count++] = path;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void path_list_sort(struct path_list *list)
{
    if (list->count > 1)
        qsort(list->paths, list->count, sizeof *list->paths, by_name);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool path_is_temporary(const char *name)
{
    static const char digits[] = "0123456789", begin[] = ".hvcifix-";
    if (strncmp(name, begin, sizeof begin - 1) != 0)
        return false;
    name += sizeof begin - 1;
    size_t process_count = strspn(name, digits);
    if (process_count == 0 || name[process_count] != '-')
        return false;
    name += process_count + 1;
    size_t number_count = strspn(name, digits);
    return number_count != 0 && strcmp(name + number_count, ".tmp") == 0;
}

bool path_has_suffix(const char *path, const char *suffix)
{
    size_t path_nbytes = strlen(path), suffix_nbytes = strlen(suffix);
    if (path_nbytes < suffix_nbytes)
        return false;
    const char *end = path + path_nbytes - suffix_nbytes;
    for (size_t i = 0; i < suffix_nbytes; i++)
        if (lower(end[i]) != lower(suffix[i]))
            return false;
    return true;
}

const char *path_last_part(const char *path)
{
    const char *last = path;
    for (; *path; path++)
        if (*path == '/' || *path == '\\')
            last = path + 1;
    return last;
}

bool path_is_image_name(const char *path)
{
    static const char *const suffixes[] = {".sys", ".dll", ".exe", ".efi"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (path_has_suffix(path, suffixes[i]))
            return true;
    return false;
}
