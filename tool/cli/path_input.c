/* path_input.c - path_input.h.
 * Takes: standard input.  Gives: paths.  Must not: read more than a bounded list. */
#include "cli/path_input.h"

#include "cli/console.h"
#include "cli/response_file.h"

#include <stdio.h>
#include <string.h>

enum { LIST_MOST_NBYTES = 256 * 1024 * 1024 };

static bool refuse(const char **message, const char *words)
{
    *message = words;
    return false;
}

static bool read_input(struct arena *arena, struct span *input, const char **message)
{
    uint8_t *bytes = NULL;
    size_t nbytes = 0, capacity = 0, got_nbytes;
    do {
        uint8_t *grown = arena_grow(arena, bytes, nbytes, &capacity, nbytes + 65536, 1);
        if (!grown)
            return false;
        bytes = grown;
        got_nbytes = fread(bytes + nbytes, 1, capacity - nbytes, stdin);
        nbytes += got_nbytes;
    } while (got_nbytes != 0 && nbytes < LIST_MOST_NBYTES);
    *input = (struct span){bytes, nbytes};
    if (ferror(stdin))
        return refuse(message, "The list on standard input cannot be read.");
    return nbytes < LIST_MOST_NBYTES || refuse(message, "The list on standard input is too long.");
}

struct paths {
    struct arena *arena;
    const char **items;
    size_t count, capacity;
};

static bool add(struct paths *paths, const char *path)
{
    const char **items = arena_grow(paths->arena, (void *)paths->items, paths->count, &paths->capacity,
                                    paths->count + 1, sizeof *items);
    if (!items || !path)
        return false;
    paths->items = items;
    paths->items[paths->count++] = path;
    return true;
}

/* The text ends with a NUL that nbytes does not count. */
static bool add_list(struct paths *paths, char *text, size_t nbytes, bool null_separated,
                     const char **message)
{
    if (!null_separated && strlen(text) != nbytes)
        return refuse(
            message, "The list on standard input holds a NUL; --null reads lists with NUL behind each path.");
    size_t before = paths->count;
    for (char *at = text, *end = text + nbytes; at < end;) {
        char *stop = memchr(at, null_separated ? 0 : '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        char *last = stop;
        if (!null_separated && last > at && last[-1] == '\r')
            last--;
        *last = 0;
        if (last != at && !add(paths, console_path(at, paths->arena)))
            return false;
        at = stop + 1;
    }
    return paths->count != before || refuse(message, "The list on standard input names no file.");
}

bool path_input_expand(struct cli_options *options, struct arena *arena, const char **message)
{
    struct paths paths = {.arena = arena};
    bool was_read = false;
    bool takes_list =
        options->verb == VERB_CHECK || options->verb == VERB_ENFORCE || options->verb == VERB_FIX;
    *message = "There was not enough memory for the list on standard input.";
    for (size_t i = 0; takes_list && i < options->path_count; i++) {
        if (strcmp(options->paths[i], "-") != 0) {
            if (!add(&paths, options->paths[i]))
                return false;
            continue;
        }
        if (was_read)
            return refuse(message, "The list on standard input can be named only once.");
        if (options->output_path || options->map_path || options->linker_map_path)
            return refuse(message, "-o OUT, --map FILE and --linker-map FILE take one image, and - is a list "
                                   "of them.");
        struct span input;
        size_t nbytes;
        if (!read_input(arena, &input, message))
            return false;
        char *text = response_file_text(input, arena, &nbytes);
        if (!text || !add_list(&paths, text, nbytes, options->null_separated, message))
            return false;
        was_read = true;
    }
    if (options->null_separated && !was_read)
        return refuse(message, "--null is about the list that - reads, and there is no - here.");
    if (was_read) {
        options->paths = paths.items;
        options->path_count = paths.count;
    }
    return true;
}
