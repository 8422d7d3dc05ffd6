/* text.c - appending to a growing text.
 * Takes: printf pieces.  Gives: one text in an arena.  Must not: print. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static char *room_for(struct text *text, size_t nbytes)
{
    if (nbytes > SIZE_MAX / 4 - text->nbytes) {
        text->arena->exhausted = true;
        return NULL;
    }
    char *chars =
        arena_grow(text->arena, text->chars, text->nbytes, &text->capacity, text->nbytes + nbytes + 1, 1);
    if (!chars)
        return NULL;
    text->chars = chars;
    return chars + text->nbytes;
}

void text_add(struct text *text, const char *chars, size_t nbytes)
{
    char *end = room_for(text, nbytes);
    if (!end)
        return;
    memcpy(end, chars, nbytes);
    end[nbytes] = 0;
    text->nbytes += nbytes;
}

void text_addz(struct text *text, const char *chars)
{
    text_add(text, chars, strlen(chars));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *end = length < 0 ? NULL : room_for(text, (size_t)length);
    if (end) {
        vsnprintf(end, (size_t)length + 1, format, again);
        text->nbytes += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void text_pad_to_column(struct text *text, size_t line_start, size_t column)
{
    while (text->nbytes < line_start + column && !text->arena->exhausted)
        text_add(text, " ", 1);
}

void text_cut_if_exhausted(struct text *text, size_t nbytes)
{
    if (!text->arena->exhausted || nbytes >= text->nbytes)
        return;
    text->nbytes = nbytes;
    text->chars[nbytes] = 0;
}

char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_same_word(const char *a, const char *b)
{
    while (*a && text_lower(*a) == text_lower(*b)) {
        a++;
        b++;
    }
    return text_lower(*a) == text_lower(*b);
}
