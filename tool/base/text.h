/* text.h - a growing text for reports.
 * Takes: printf pieces.  Gives: one NUL-terminated text in an arena.  Must not: print. */
#ifndef HVCIFIX_BASE_TEXT_H
#define HVCIFIX_BASE_TEXT_H

#include "base/arena.h"

struct text {
    struct arena *arena; /* borrowed */
    char *chars;         /* NUL-terminated once anything was added; else NULL */
    size_t nbytes, capacity;
};

/* Each appends; when memory runs out the text stays as it was and arena->exhausted is set. */
void text_add(struct text *text, const char *chars, size_t nbytes);
void text_addz(struct text *text, const char *chars);
void text_printf(struct text *text, const char *format, ...) HVCIFIX_PRINTF(2, 3);
void text_pad_to_column(struct text *text, size_t line_start,
                        size_t column); /* spaces up to line_start + column */

/* An ASCII letter in lower case; any other character as it is. */
char text_lower(char c);

/* Are the two words the same but for the case of ASCII letters? */
bool text_same_word(const char *a, const char *b);

/* When memory has run out, takes away everything behind the first `nbytes` bytes: a piece of which some part
 * is missing must not pass for whole. */
void text_cut_if_exhausted(struct text *text, size_t nbytes);

#endif
