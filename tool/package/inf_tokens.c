/* inf_tokens.c - inf_tokens.h, by a sorted table of [Strings].
 * Takes: entries.  Gives: the same with other texts.  Must not: look again at what a token stands for. */
#include "package/inf_tokens.h"

#include "base/text.h"
#include "package/word_order.h"

#include <stdlib.h>

static int by_key(const void *a, const void *b)
{
    return word_order((*(const struct inf_entry *const *)a)->key, (*(const struct inf_entry *const *)b)->key);
}

static int by_key_and_place(const void *a, const void *b)
{
    const struct inf_entry *x = *(const struct inf_entry *const *)a, *y = *(const struct inf_entry *const *)b;
    int order = by_key(a, b);
    return order != 0 ? order : x < y ? -1 : x > y;
}

/* The entries of [Strings], sorted by their key. */
struct strings {
    const struct inf_entry **items;
    size_t count;
    size_t nbytes_left; /* that may still come of tokens */
};

static bool find_strings(const struct inf *inf, struct arena *arena, struct strings *strings)
{
    strings->items = arena_array(arena, inf->entry_count + 1, sizeof *strings->items);
    for (size_t i = 0; strings->items && i < inf->entry_count; i++)
        if (text_same_word(inf->entries[i].section, "Strings") && inf->entries[i].key &&
            inf->entries[i].value_count != 0)
            strings->items[strings->count++] = &inf->entries[i];
    if (strings->count > 1)
        qsort(strings->items, strings->count, sizeof *strings->items, by_key_and_place);
    size_t kept = 0; /* of several entries with one key the first */
    for (size_t i = 0; i < strings->count; i++)
        if (kept == 0 || by_key(&strings->items[kept - 1], &strings->items[i]) != 0)
            strings->items[kept++] = strings->items[i];
    strings->count = kept;
    return strings->items != NULL;
}

static const char *string_named(const struct strings *strings, const char *name)
{
    struct inf_entry wanted = {.key = name};
    const struct inf_entry *key = &wanted;
    const struct inf_entry **found =
        strings->count == 0 ? NULL
                            : bsearch(&key, strings->items, strings->count, sizeof *strings->items, by_key);
    return found ? (*found)->values[0].text : NULL;
}

/* A short token may stand for a long text many times: all tokens together may give so many times the file. */
enum { EXPANDED_MOST_RATIO = 8, EXPANDED_FREE_NBYTES = 64 * 1024 };

/* The text with its tokens replaced, once: what they stand for is not looked at again. A token of no entry
 * (%12%, a folder's number) stays. */
static const char *expanded(struct strings *strings, const char *text, struct arena *arena)
{
    if (!strchr(text, '%'))
        return text;
    struct text result = {.arena = arena};
    text_addz(&result, "");
    while (*text && result.nbytes <= strings->nbytes_left) {
        const char *end = *text == '%' ? strchr(text + 1, '%') : NULL;
        if (!end) {
            text_add(&result, text++, 1);
            continue;
        }
        const char *name = arena_copy_text(arena, text + 1, (size_t)(end - text) - 1);
        const char *value = name && *name ? string_named(strings, name) : NULL;
        if (value)
            text_addz(&result, value);
        else if (end == text + 1)
            text_add(&result, "%", 1);
        else
            text_add(&result, text, (size_t)(end - text) + 1);
        text = end + 1;
    }
    if (arena->exhausted || result.nbytes > strings->nbytes_left)
        return NULL;
    strings->nbytes_left -= result.nbytes;
    return result.chars;
}

bool inf_expand_tokens(struct inf *inf, struct arena *arena, const char **problem)
{
    struct strings strings = {.nbytes_left = EXPANDED_FREE_NBYTES + EXPANDED_MOST_RATIO * inf->bytes.nbytes};
    if (!find_strings(inf, arena, &strings))
        return false;
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        if (text_same_word(entry->section, "Strings"))
            continue;
        struct inf_value *values = (struct inf_value *)(uintptr_t)entry->values; /* our own, made above */
        for (size_t k = 0; k < entry->value_count; k++)
            if (!(values[k].text = expanded(&strings, values[k].text, arena))) {
                *problem =
                    arena->exhausted ? NULL : "The INF file's %tokens% stand for far more text than it has.";
                return false;
            }
    }
    return true;
}
