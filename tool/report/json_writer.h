/* json_writer.h - JSON written into a text as it is told, front to back.
 * Takes: keys (string constants of our own) and values.  Gives: text.
 * Must not: hold a tree, or allocate anything but the text. When memory runs out, text->arena->exhausted is
 * set and what the text then holds is no JSON: whoever wrote it cuts it off. A text that is not UTF-8 has its
 * stray bytes written as \xNN, so that what comes out is always valid. */
#ifndef HVCIFIX_REPORT_JSON_WRITER_H
#define HVCIFIX_REPORT_JSON_WRITER_H

#include "base/text.h"

struct json_writer {
    struct text *text;    /* borrowed */
    unsigned depth;       /* of open objects and arrays */
    bool is_first_member; /* nothing is in the innermost one yet */
};

/* The root object, appended to `text`. It and everything else that is opened is closed by the caller. */
void json_begin_root(struct json_writer *json, struct text *text);

/* An object or array under `key`, or, inside an array, with key NULL. */
void json_begin_object(struct json_writer *json, const char *key);
void json_end_object(struct json_writer *json);
void json_begin_array(struct json_writer *json, const char *key);
void json_end_array(struct json_writer *json);

/* Members; key NULL inside an array. value NULL gives null. */
void json_text(struct json_writer *json, const char *key, const char *value);
void json_number(struct json_writer *json, const char *key, uint64_t value);
/* null when value equals `none`. */
void json_number_or_null(struct json_writer *json, const char *key, uint64_t value, uint64_t none);
/* "0x" and two digits a byte, at most 8 bytes, as text: JSON numbers do not hold 64 bits. */
void json_hex(struct json_writer *json, const char *key, uint64_t value, unsigned width_nbytes);
void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);
/* "HVCI2004". */
void json_code(struct json_writer *json, const char *key, unsigned code);

/* A value that is JSON already. */
void json_raw(struct json_writer *json, const char *key, const char *value);

/* Makes room for members that the caller appends to the text itself. */
void json_begin_members(struct json_writer *json);

/* `value` as a quoted JSON string. */
void json_add_quoted(struct text *text, const char *value);

#endif
