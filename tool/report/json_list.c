/* json_list.c - the elements of long lists in JSON, a line each.
 * Takes: values.  Gives: text.  Must not: use printf, or hold state: the caller writes the commas. */
#include "report/json_list.h"
#include "report/digits.h"
#include "report/json_writer.h"

static void add_key(struct text *text, const char *key)
{
    text_addz(text, "\"");
    text_addz(text, key);
    text_addz(text, "\": ");
}

void json_list_element(struct text *text, size_t index)
{
    text_addz(text, index == 0 ? "\n  {" : ",\n  {");
}

void json_list_number(struct text *text, const char *key, uint64_t value)
{
    add_key(text, key);
    digits_decimal(text, value);
}

void json_list_number_or_null(struct text *text, const char *key, uint64_t value, uint64_t none)
{
    if (value != none) {
        json_list_number(text, key, value);
        return;
    }
    add_key(text, key);
    text_addz(text, "null");
}

void json_list_word(struct text *text, const char *key, const char *word)
{
    add_key(text, key);
    text_addz(text, "\"");
    text_addz(text, word);
    text_addz(text, "\"");
}

void json_list_name_or_null(struct text *text, const char *key, const char *name)
{
    add_key(text, key);
    if (name)
        json_add_quoted(text, name);
    else
        text_addz(text, "null");
}
