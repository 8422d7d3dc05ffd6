/* work_list.c - from the paths of a command line to the list of what is to be done.
 * Takes: files and folders.  Gives: struct work_list.  Must not: open images or print. */
#include "cli/work_list.h"

#include "base/path_name.h"
#include "base/text.h"

#include <stdlib.h>

static bool add(struct arena *arena, struct work_list *list, enum work_kind kind, const char *path)
{
    struct work_item *items =
        arena_grow(arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = (struct work_item){kind, path, false, WORK_NONE};
    return true;
}

static bool add_path(const struct cli_options *options, const char *path, struct arena *arena,
                     struct work_list *list)
{
    struct path_list found;
    struct finding error;
    if (!file_list(path, arena, &found, &error))
        return false;
    if (!found.from_folder)
        return add(arena, list, WORK_IMAGE, path);
    if (options->output_path)
        return add(arena, list, WORK_PACKAGE, path);
    for (size_t i = 0; i < found.count; i++)
        if (!add(arena, list, WORK_FOUND, found.paths[i]))
            return false;
    return add(arena, list, WORK_FOLDER_END, path);
}

struct named_file {
    struct file_identity identity;
    size_t number;
};

static int by_identity(const void *a, const void *b)
{
    const struct named_file *x = a, *y = b;
    if (x->identity.volume != y->identity.volume)
        return x->identity.volume < y->identity.volume ? -1 : 1;
    if (x->identity.number != y->identity.number)
        return x->identity.number < y->identity.number ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* Links every item to the one before that names the same file. A file that cannot be looked up cannot be
 * opened either. */
static bool find_same_files(struct arena *arena, struct work_list *list)
{
    struct named_file *files = arena_array(arena, list->count, sizeof *files);
    size_t count = 0;
    if (!files)
        return false;
    for (size_t i = 0; i < list->count; i++) {
        files[count].number = i;
        if (list->items[i].kind <= WORK_FOUND && file_identify(list->items[i].path, &files[count].identity))
            count++;
    }
    if (count > 1)
        qsort(files, count, sizeof *files, by_identity);
    for (size_t i = 1; i < count; i++)
        if (files[i].identity.volume == files[i - 1].identity.volume &&
            files[i].identity.number == files[i - 1].identity.number)
            list->items[files[i].number].same_file_before = files[i - 1].number;
    return true;
}

struct named_item {
    const char *name;
    size_t number;
};

static int by_name(const void *a, const void *b)
{
    const char *x = ((const struct named_item *)a)->name, *y = ((const struct named_item *)b)->name;
    while (*x && text_lower(*x) == text_lower(*y)) {
        x++;
        y++;
    }
    return (unsigned char)text_lower(*x) - (unsigned char)text_lower(*y);
}

/* Says of each image whether another has its file name. */
static bool find_own_names(struct arena *arena, struct work_list *list)
{
    struct named_item *items = arena_array(arena, list->count, sizeof *items);
    size_t count = 0;
    if (!items)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind <= WORK_FOUND)
            items[count++] = (struct named_item){path_file_name(list->items[i].path), i};
    if (count > 1)
        qsort(items, count, sizeof *items, by_name);
    for (size_t i = 0; i < count; i++)
        list->items[items[i].number].has_own_name =
            (i == 0 || by_name(&items[i - 1], &items[i]) != 0) &&
            (i + 1 == count || by_name(&items[i], &items[i + 1]) != 0);
    return true;
}

bool work_list_make(const struct cli_options *options, struct arena *arena, struct work_list *list)
{
    *list = (struct work_list){0};
    for (size_t i = 0; i < options->path_count; i++)
        if (!add_path(options, options->paths[i], arena, list))
            return false;
    if (options->baseline_path && !find_own_names(arena, list))
        return false;
    bool replaces_images = (options->verb == VERB_FIX && !options->dry_run) || options->verb == VERB_ENFORCE;
    return list->count < 2 || !replaces_images || find_same_files(arena, list);
}
