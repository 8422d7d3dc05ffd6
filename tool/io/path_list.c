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
