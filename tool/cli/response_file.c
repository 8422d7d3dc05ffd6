/* response_file.c - @FILE arguments.
 * Takes: argv.  Gives: argv with each @FILE before -- replaced by what the file holds.
 * Must not: nest, or close a quotation that the file does not close. */
#include "cli/options.h"

#include "base/utf16.h"
#include "cli/console.h"
#include "cli/response_file.h"
#include "cli/split.h"

char *response_file_text(struct span file, struct arena *arena, size_t *nbytes)
{
    const uint8_t *p = file.bytes;
    bool is_le = file.nbytes >= 2 && p[0] == 0xFF && p[1] == 0xFE;
    bool is_be = file.nbytes >= 2 && p[0] == 0xFE && p[1] == 0xFF;
    if (!is_le && !is_be) {
        size_t skip_nbytes = file.nbytes >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        *nbytes = file.nbytes - skip_nbytes;
        return arena_copy_text(arena, (const char *)p + skip_nbytes, *nbytes);
    }
    size_t unit_count = file.nbytes / 2 - 1;
    uint16_t *units = arena_array(arena, unit_count + 1, sizeof *units);
    for (size_t i = 0; units && i < unit_count; i++) {
        const uint8_t *unit = p + 2 + 2 * i;
        units[i] = (uint16_t)(is_le ? load_u16(unit) : unit[0] << 8 | unit[1]);
    }
    return units ? utf16_to_utf8(units, unit_count, arena, nbytes) : NULL;
}

static bool refuse(struct arena *arena, const char **message, const char *format, const char *path)
{
    *message = arena_printf(arena, format, path);
    return false;
}

static bool expand(const char *path, struct argument_list *list, const char **message)
{
    struct file_content content;
    struct finding error;
    if (!file_read(path, list->arena, &content, &error)) {
        *message = arena_printf(list->arena, "The response file cannot be read. %s", error.message);
        return false;
    }
    size_t nbytes;
    char *text = response_file_text(content.bytes, list->arena, &nbytes);
    size_t first = list->count;
    enum split_result result =
        text ? split_arguments(list, text, nbytes, console_names_hold_quotes()) : SPLIT_NO_MEMORY;
    if (result == SPLIT_OPEN_QUOTE)
        return refuse(
            list->arena, message,
            "The response file \"%s\" has a quotation that nothing closes; a backslash before a quote "
            "takes its meaning away.",
            path);
    if (result != SPLIT_DONE)
        return false;
    for (size_t i = first; i < list->count && strcmp(list->items[i], "--") != 0; i++)
        if (list->items[i][0] == '@' && list->items[i][1] != 0)
            return refuse(
                list->arena, message,
                "The response file \"%s\" names another one; put a path that begins with @ behind --.", path);
    return true;
}

bool options_expand_response_files(int *argc, char ***argv, struct arena *arena, const char **message)
{
    struct argument_list list = {.arena = arena};
    bool only_paths = false; /* behind -- */
    *message = "There was not enough memory for the command line.";
    for (int i = 0; i < *argc; i++) {
        char *argument = (*argv)[i];
        size_t first = list.count;
        bool is_file = i != 0 && !only_paths && argument[0] == '@' && argument[1] != 0;
        if (is_file ? !expand(argument + 1, &list, message) : !argument_add(&list, argument))
            return false;
        for (size_t k = first; k < list.count && i != 0; k++)
            only_paths = only_paths || strcmp(list.items[k], "--") == 0;
    }
    if (list.count > INT32_MAX)
        return false;
    *argc = (int)list.count;
    *argv = list.items;
    return true;
}
