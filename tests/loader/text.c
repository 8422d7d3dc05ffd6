/* text.c - text that grows in a fixed room.
 * Takes: rooms of the caller.  Gives: lines that two runs are compared by.  Must not: grow past the room. */
#include "text.h"

#include "system.h"

void text_clear(struct text *text)
{
    text->count = 0;
    text->is_cut = false;
    text->chars[0] = '\0';
}

void text_add_some(struct text *text, const char *chars, size_t count)
{
    if (count > text->room - 1 - text->count) {
        count = text->room - 1 - text->count;
        text->is_cut = true;
    }
    memcpy(text->chars + text->count, chars, count);
    text->count += count;
    text->chars[text->count] = '\0';
}

void text_add(struct text *text, const char *chars)
{
    size_t count = 0;

    while (chars[count])
        count++;
    text_add_some(text, chars, count);
}

void text_add_hex(struct text *text, uint64_t value)
{
    char digits[18];
    size_t first = sizeof(digits);

    do {
        digits[--first] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    digits[--first] = 'x';
    digits[--first] = '0';
    text_add_some(text, digits + first, sizeof(digits) - first);
}

void text_add_number(struct text *text, uint32_t value)
{
    char digits[10];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_add_some(text, digits + first, sizeof(digits) - first);
}

void text_add_wide(struct text *text, const uint16_t *units, size_t nbytes)
{
    text_add(text, "\"");
    for (size_t i = 0; i < nbytes / sizeof(*units); i++) {
        const char shown = units[i] >= ' ' && units[i] < 0x7f ? (char)units[i] : '.';

        text_add_some(text, &shown, 1);
    }
    text_add(text, "\"");
}

void text_print(const struct text *text)
{
    system_write(1, text->chars, text->count);
}

static size_t line_end(const struct text *text, size_t from)
{
    while (from < text->count && text->chars[from] != '\n')
        from++;
    return from;
}

bool text_show_difference(const char *what, const struct text *one, const struct text *other)
{
    char chars[1000];
    struct text line = TEXT_IN(chars);
    size_t at = 0, begin = 0;

    while (at < one->count && at < other->count && one->chars[at] == other->chars[at]) {
        if (one->chars[at++] == '\n')
            begin = at;
    }
    if (at == one->count && at == other->count)
        return false;
    text_add(&line, what);
    text_add(&line, ": ");
    text_add_some(&line, one->chars + begin, line_end(one, begin) - begin);
    text_add(&line, ", but ");
    text_add_some(&line, other->chars + begin, line_end(other, begin) - begin);
    text_add(&line, "\n");
    text_print(&line);
    return true;
}
