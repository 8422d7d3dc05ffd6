/* text.h - text that grows in a fixed room. */
#ifndef LOADER_TEXT_H
#define LOADER_TEXT_H

#include "machine.h"

struct text {
    char *chars; /* always ends with a zero */
    size_t count, room;
    bool is_cut; /* the room was too small */
};

#define TEXT_IN(array) ((struct text){(array), 0, sizeof(array), false})

void text_clear(struct text *text);
void text_add(struct text *text, const char *chars);
void text_add_some(struct text *text, const char *chars, size_t count);
void text_add_hex(struct text *text, uint64_t value);
void text_add_number(struct text *text, uint32_t value);

/* UTF-16 of so many bytes, in quotes; what is not printable ASCII as a dot. */
void text_add_wide(struct text *text, const uint16_t *units, size_t nbytes);

/* Prints the first line that the two do not have in common, after `what`; false when there is none. */
bool text_show_difference(const char *what, const struct text *one, const struct text *other);

void text_print(const struct text *text);

#endif
