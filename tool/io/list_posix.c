/* list_posix.c - the listing half of file.h on POSIX systems.
 * Takes: paths.  Gives: sorted lists of regular files.  Must not: follow links to folders. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "base/path_name.h"
#include "io/file.h"
#include "io/path_list.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The names in one folder, full paths, sorted. False with errno set. */
static bool folder_names(const char *folder, struct arena *arena, struct path_list *names)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return false;
    size_t folder_nbytes = strlen(folder);
    const char *separator = folder_nbytes != 0 && folder[folder_nbytes - 1] == '/' ? "" : "/";
    bool done = true;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            done = errno == 0;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            path_is_temporary(entry->d_name))
            continue;
        if (!path_list_add(arena, names, arena_printf(arena, "%s%s%s", folder, separator, entry->d_name)) ||
            arena->exhausted) {
            errno = ENOMEM;
            done = false;
            break;
        }
    }
    int system_error = errno;
    closedir(stream);
    errno = system_error;
    if (done)
        path_list_sort(names);
    return done;
}

/* What is at `path` is gone since its name was read; anything else that the system says is worth a word. */
static bool is_gone(void)
{
    return errno == ENOENT || errno == ENOTDIR;
}

/* The depth of recursion is bounded by PATH_MAX: deeper folders cannot be opened by their full path. A folder
 * that cannot be listed, and what cannot be looked at, is put on the list itself, so that reading it says why
 * and the others go on.
 * False only when memory ran out. */
static bool list_folder(const char *folder, struct arena *arena, struct path_list *list)
{
    struct path_list names = {0};
    if (!folder_names(folder, arena, &names))
        return !arena->exhausted && path_list_add(arena, list, folder);
    for (size_t i = 0; i < names.count; i++) {
        struct stat status;
        bool is_known = lstat(names.paths[i], &status) == 0;
        bool is_link = is_known && S_ISLNK(status.st_mode);
        if (is_link)
            is_known = stat(names.paths[i], &status) == 0;
        if (!is_known) {
            bool leads_nowhere = is_gone() || (is_link && errno == ELOOP);
            if (!leads_nowhere && !path_list_add(arena, list, names.paths[i]))
                return false;
            continue;
        }
        if (S_ISDIR(status.st_mode) && !is_link) {
            if (!list_folder(names.paths[i], arena, list))
                return false;
        } else if (S_ISREG(status.st_mode) && !path_list_add(arena, list, names.paths[i])) {
            return false;
        }
    }
    return true;
}

bool file_list(const char *path, struct arena *arena, struct path_list *list, struct finding *error)
{
    struct stat status;
    *list = (struct path_list){0};
    list->from_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    if (list->from_folder ? list_folder(path, arena, list) : path_list_add(arena, list, path))
        return true;
    *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                          "There was not enough memory to list \"%s\".", path);
    return false;
}

bool file_siblings(const char *path, const char *suffix, struct arena *arena, struct path_list *list,
                   struct finding *error)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? arena_printf(arena, "%.*s", (int)(slash - path) + 1, path) : "./";
    struct path_list names = {0};
    *list = (struct path_list){0};
    bool done = folder_names(folder, arena, &names);
    for (size_t i = 0; done && i < names.count; i++) {
        struct stat status;
        if (!path_has_suffix(names.paths[i], suffix))
            continue;
        if (stat(names.paths[i], &status) != 0)
            done = is_gone() || errno == ELOOP;
        else if (S_ISREG(status.st_mode) && !path_list_add(arena, list, names.paths[i]))
            done = false;
    }
    if (!done) {
        char words[200];
        if (strerror_r(arena->exhausted ? ENOMEM : errno, words, sizeof words) != 0)
            strcpy(words, "no text for this reason");
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "The files beside \"%s\" cannot be listed: %s.", path, words);
    }
    return done;
}
