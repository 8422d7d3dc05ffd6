/* response_file.c - @FILE arguments.
 * Takes: argv.  Gives: argv with each @FILE replaced by what the file holds.
 * Must not: nest; an @ inside a response file is an ordinary character, as it is for link.exe and cl.exe. */
#include "cli/options.h"

/* Bytes of the file as UTF-8: a UTF-8 byte-order mark is dropped, UTF-16LE and UTF-16BE with one are
 * converted (tool tasks of MSBuild write either). Unpaired surrogates become U+FFFD. */
static char *as_utf8(struct span file, struct arena *arena, size_t *nbytes)
{
    const uint8_t *p = file.bytes;
    bool is_le = file.nbytes >= 2 && p[0] == 0xFF && p[1] == 0xFE;
    bool is_be = file.nbytes >= 2 && p[0] == 0xFE && p[1] == 0xFF;
    if (!is_le && !is_be) {
        size_t skip_nbytes = file.nbytes >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        *nbytes = file.nbytes - skip_nbytes;
        return arena_copy_text(arena, (const char *)p + skip_nbytes, *nbytes);
    }
    size_t unit_count = file.nbytes / 2;
    char *text = arena_array(arena, unit_count + 1, 3); /* a UTF-16 unit gives at most three bytes */
    if (!text)
        return NULL;
    char *end = text;
    for (size_t i = 1; i < unit_count; i++) {
        uint32_t unit = is_le ? load_u16(p + 2 * i) : (uint32_t)(p[2 * i] << 8 | p[2 * i + 1]);
        if (unit >= 0xD800 && unit < 0xDC00 && i + 1 < unit_count) {
            uint32_t low = is_le ? load_u16(p + 2 * i + 2) : (uint32_t)(p[2 * i + 2] << 8 | p[2 * i + 3]);
            if (low >= 0xDC00 && low < 0xE000) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                i++;
            }
        }
        if (unit >= 0xD800 && unit < 0xE000)
            unit = 0xFFFD;
        if (unit < 0x80) {
            *end++ = (char)unit;
        } else if (unit < 0x800) {
            *end++ = (char)(0xC0 | unit >> 6);
            *end++ = (char)(0x80 | (unit & 0x3F));
        } else if (unit < 0x10000) {
            *end++ = (char)(0xE0 | unit >> 12);
            *end++ = (char)(0x80 | (unit >> 6 & 0x3F));
            *end++ = (char)(0x80 | (unit & 0x3F));
        } else {
            *end++ = (char)(0xF0 | unit >> 18);
            *end++ = (char)(0x80 | (unit >> 12 & 0x3F));
            *end++ = (char)(0x80 | (unit >> 6 & 0x3F));
            *end++ = (char)(0x80 | (unit & 0x3F));
        }
    }
    *nbytes = (size_t)(end - text);
    return text;
}

struct argument_list {
    struct arena *arena;
    char **items;
    size_t count, capacity;
};

static bool add_argument(struct argument_list *list, char *argument)
{
    char **items =
        arena_grow(list->arena, list->items, list->count, &list->capacity, list->count + 2, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = argument;
    list->items[list->count] = NULL;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0;
}

/* Splits as CommandLineToArgvW: 2n backslashes and a quote give n backslashes and open or close a quotation,
 * 2n+1 give n and a literal quote, other backslashes stand for themselves; "" inside a quotation is a quote.
 * Arguments are rewritten inside `text`, which they never outgrow. */
static bool split(struct argument_list *list, char *text, size_t nbytes)
{
    size_t at = 0;
    while (at < nbytes) {
        if (is_blank(text[at])) {
            at++;
            continue;
        }
        char *argument = text + at, *end = argument;
        bool is_quoted = false;
        while (at < nbytes && (is_quoted || !is_blank(text[at]))) {
            size_t backslash_count = 0;
            while (at < nbytes && text[at] == '\\') {
                backslash_count++;
                at++;
            }
            bool is_quote = at < nbytes && text[at] == '"';
            size_t kept_count = is_quote ? backslash_count / 2 : backslash_count;
            memset(end, '\\', kept_count);
            end += kept_count;
            if (is_quote && backslash_count % 2 == 0) {
                if (is_quoted && at + 1 < nbytes && text[at + 1] == '"') {
                    *end++ = '"';
                    at += 2;
                } else {
                    is_quoted = !is_quoted;
                    at++;
                }
            } else if (at < nbytes && (is_quoted || is_quote || !is_blank(text[at]))) {
                *end++ = text[at++];
            }
        }
        if (at < nbytes)
            at++; /* the blank that ended it; its byte may become the NUL below */
        *end = 0;
        if (!add_argument(list, argument))
            return false;
    }
    return true;
}

bool options_expand_response_files(int *argc, char ***argv, struct arena *arena, const char **message)
{
    struct argument_list list = {.arena = arena};
    *message = "There was not enough memory for the command line.";
    for (int i = 0; i < *argc; i++) {
        char *argument = (*argv)[i];
        if (i == 0 || argument[0] != '@' || argument[1] == 0) {
            if (!add_argument(&list, argument))
                return false;
            continue;
        }
        struct file_content content;
        struct finding error;
        if (!file_read(argument + 1, arena, &content, &error)) {
            *message = arena_printf(arena, "The response file cannot be read. %s", error.message);
            return false;
        }
        size_t nbytes;
        char *text = as_utf8(content.bytes, arena, &nbytes);
        if (!text || !split(&list, text, nbytes))
            return false;
    }
    if (list.count > INT32_MAX)
        return false;
    *argc = (int)list.count;
    *argv = list.items;
    return true;
}
