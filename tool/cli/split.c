/* split.c - split.h.
 * Takes: a text.  Gives: arguments.  Must not: read or write files. */
#include "cli/split.h"

#include <string.h>

bool argument_add(struct argument_list *list, char *argument)
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

/* 2n backslashes and a quote give n backslashes and open or close a quotation, 2n+1 give n and a literal
 * quote, other backslashes stand for themselves; "" inside a quotation is a quote. With
 * `folders_end_quotations` 2n+1 backslashes and a quote at the end of an argument give n+1 and close the
 * quotation. Arguments are written into a copy of the text, which they never outgrow. */
static enum split_result split(struct argument_list *list, const char *input, size_t nbytes,
                               bool folders_end_quotations)
{
    char *text = arena_copy_text(list->arena, input, nbytes);
    if (!text)
        return SPLIT_NO_MEMORY;
    bool is_quoted = false;
    size_t at = 0;
    while (at < nbytes) {
        if (is_blank(text[at])) {
            at++;
            continue;
        }
        char *argument = text + at, *end = argument;
        is_quoted = false;
        while (at < nbytes && (is_quoted || !is_blank(text[at]))) {
            size_t backslash_count = 0;
            while (at < nbytes && text[at] == '\\') {
                backslash_count++;
                at++;
            }
            bool is_quote = at < nbytes && text[at] == '"';
            bool is_literal = is_quote && backslash_count % 2 != 0;
            bool is_last = at + 1 >= nbytes || is_blank(text[at + 1]);
            size_t kept_count = is_quote ? backslash_count / 2 : backslash_count;
            if (is_literal && folders_end_quotations && is_quoted && is_last) {
                kept_count++;
                is_literal = false;
            }
            memset(end, '\\', kept_count);
            end += kept_count;
            if (is_quote && !is_literal) {
                if (is_quoted && at + 1 < nbytes && text[at + 1] == '"') {
                    *end++ = '"';
                    at += 2;
                } else {
                    is_quoted = !is_quoted;
                    at++;
                }
            } else if (at < nbytes && (is_quoted || is_literal || !is_blank(text[at]))) {
                *end++ = text[at++];
            }
        }
        if (at < nbytes)
            at++; /* the blank that ended it; its byte may become the NUL below */
        *end = 0;
        if (!argument_add(list, argument))
            return SPLIT_NO_MEMORY;
    }
    return is_quoted ? SPLIT_OPEN_QUOTE : SPLIT_DONE;
}

static bool holds_quote(const struct argument_list *list, size_t first)
{
    for (size_t i = first; i < list->count; i++)
        if (strchr(list->items[i], '"'))
            return true;
    return false;
}

enum split_result split_arguments(struct argument_list *list, const char *text, size_t nbytes,
                                  bool names_hold_quotes)
{
    size_t first = list->count;
    enum split_result result = split(list, text, nbytes, false);
    if (names_hold_quotes || result == SPLIT_NO_MEMORY || !holds_quote(list, first))
        return result;
    list->count = first;
    return split(list, text, nbytes, true);
}

enum split_result split_arguments_gnu(struct argument_list *list, const char *input, size_t nbytes)
{
    char *text = arena_copy_text(list->arena, input, nbytes);
    if (!text)
        return SPLIT_NO_MEMORY;
    char quote = 0;
    for (size_t at = 0; at < nbytes;) {
        if (is_blank(text[at])) {
            at++;
            continue;
        }
        char *argument = text + at, *end = argument;
        for (; at < nbytes && (quote || !is_blank(text[at])); at++) {
            char c = text[at];
            if (c == '\\' && at + 1 < nbytes)
                *end++ = text[++at];
            else if (c == quote)
                quote = 0;
            else if (!quote && (c == '"' || c == '\''))
                quote = c;
            else
                *end++ = c;
        }
        at++; /* the blank that ended it; its byte may become the NUL below */
        *end = 0;
        if (!argument_add(list, argument))
            return SPLIT_NO_MEMORY;
    }
    return quote ? SPLIT_OPEN_QUOTE : SPLIT_DONE;
}
