/* json_tree.h - a JSON value under construction, on cJSON.
 * Takes: keys (string constants) and values.  Gives: text.  Must not: let a failed allocation pass: it sets
 * `failed`, every later call does nothing, and json_print() sets arena->exhausted.
 * Keys come out in the order in which they were added. A text that is not UTF-8 has its stray bytes written
 * as \xNN, so that what comes out is always valid. */
#ifndef HVCIFIX_REPORT_JSON_TREE_H
#define HVCIFIX_REPORT_JSON_TREE_H

#include "base/text.h"

#include <cjson/cJSON.h>

struct json_tree {
    struct arena *arena; /* borrowed; outlives the tree */
    cJSON *root;         /* owned until json_print() */
    bool failed;
};

/* An object with no parent: the root. */
cJSON *json_root(struct json_tree *tree);

/* A new object or array under `key`, or, where parent is an array, with key NULL. */
cJSON *json_object(struct json_tree *tree, cJSON *parent, const char *key);
cJSON *json_array(struct json_tree *tree, cJSON *parent, const char *key);

/* value NULL gives null. The text is borrowed until json_print(). */
void json_text(struct json_tree *tree, cJSON *parent, const char *key, const char *value);
/* Below 2^53. */
void json_number(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value);
/* null when value equals `none`. */
void json_number_or_null(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value,
                         uint64_t none);
/* "0x" and two digits a byte, at most 8 bytes, as text: JSON numbers do not hold 64 bits. */
void json_hex(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value, unsigned width_nbytes);
void json_bool(struct json_tree *tree, cJSON *parent, const char *key, bool value);
void json_null(struct json_tree *tree, cJSON *parent, const char *key);

/* Appends the text of the tree and deletes it. */
void json_print(struct json_tree *tree, struct text *text);

/* `value` as valid UTF-8: itself, or a copy in the arena. */
const char *json_valid_text(struct arena *arena, const char *value);

/* `value` as a quoted JSON string. */
void json_add_quoted(struct text *text, const char *value);

#endif
