/* json_writer.c - separators, indentation and escaping of JSON.
 * Takes: keys and values in their order.  Gives: text.  Must not: remember what was written. */
#include "report/json_writer.h"

#include "report/digits.h"
#include "report/safe_text.h"

enum { INDENT_COLUMNS = 2 };

static void start_line(struct json_writer *json)
{
    text_addz(json->text, "\n");
    for (unsigned i = 0; i < json->depth * INDENT_COLUMNS; i++)
        text_add(json->text, " ", 1);
}

/* What stands before a value: the comma after the one before it, a line of its own, its key. */
static void begin_value(struct json_writer *json, const char *key)
{
    if (!json->is_first_member)
        text_add(json->text, ",", 1);
    json->is_first_member = false;
    start_line(json);
    if (!key)
        return;
    text_add(json->text, "\"", 1);
    text_addz(json->text, key);
    text_add(json->text, "\": ", 3);
}

static void open_bracket(struct json_writer *json, const char *bracket)
{
    text_addz(json->text, bracket);
    json->depth++;
    json->is_first_member = true;
}

static void close_bracket(struct json_writer *json, const char *bracket)
{
    json->depth--;
    if (!json->is_first_member)
        start_line(json);
    json->is_first_member = false;
    text_addz(json->text, bracket);
}

void json_begin_root(struct json_writer *json, struct text *text)
{
    *json = (struct json_writer){.text = text};
    open_bracket(json, "{");
}

void json_begin_object(struct json_writer *json, const char *key)
{
    begin_value(json, key);
    open_bracket(json, "{");
}

void json_end_object(struct json_writer *json)
{
    close_bracket(json, "}");
}

void json_begin_array(struct json_writer *json, const char *key)
{
    begin_value(json, key);
    open_bracket(json, "[");
}

void json_end_array(struct json_writer *json)
{
    close_bracket(json, "]");
}

void json_begin_members(struct json_writer *json)
{
    if (!json->is_first_member)
        text_add(json->text, ",", 1);
    json->is_first_member = false;
    text_add(json->text, "\n", 1);
}

void json_text(struct json_writer *json, const char *key, const char *value)
{
    if (!value) {
        json_null(json, key);
        return;
    }
    begin_value(json, key);
    json_add_quoted(json->text, value);
}

void json_number(struct json_writer *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    digits_decimal(json->text, value);
}

void json_number_or_null(struct json_writer *json, const char *key, uint64_t value, uint64_t none)
{
    if (value == none)
        json_null(json, key);
    else
        json_number(json, key, value);
}

void json_hex(struct json_writer *json, const char *key, uint64_t value, unsigned width_nbytes)
{
    begin_value(json, key);
    text_addz(json->text, "\"0x");
    digits_hex(json->text, value, width_nbytes > 8 ? 16 : 2 * width_nbytes);
    text_add(json->text, "\"", 1);
}

void json_bool(struct json_writer *json, const char *key, bool value)
{
    begin_value(json, key);
    text_addz(json->text, value ? "true" : "false");
}

void json_null(struct json_writer *json, const char *key)
{
    begin_value(json, key);
    text_add(json->text, "null", 4);
}

void json_raw(struct json_writer *json, const char *key, const char *value)
{
    begin_value(json, key);
    text_addz(json->text, value);
}

void json_code(struct json_writer *json, const char *key, unsigned code)
{
    begin_value(json, key);
    text_printf(json->text, "\"HVCI%04u\"", code);
}

/* May this byte of a valid character stand in a JSON string as it is (RFC 8259, section 7)? */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

void json_add_quoted(struct text *text, const char *value)
{
    text_add(text, "\"", 1);
    while (*value != 0) {
        size_t plain_nbytes = 0, nbytes;
        while ((nbytes = safe_utf8_nbytes(value + plain_nbytes)) != 0 &&
               is_plain((unsigned char)value[plain_nbytes]))
            plain_nbytes += nbytes;
        text_add(text, value, plain_nbytes);
        value += plain_nbytes;
        unsigned char c = (unsigned char)*value;
        if (c == 0)
            break;
        if (nbytes == 0)
            text_printf(text, "\\\\x%02X", (unsigned)c); /* no UTF-8: a backslash, and the byte as text */
        else if (c < 0x20)
            text_printf(text, "\\u%04X", (unsigned)c);
        else
            text_printf(text, "\\%c", c);
        value++;
    }
    text_add(text, "\"", 1);
}
