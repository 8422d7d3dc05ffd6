/* json_tree.c - building JSON on cJSON with allocation failures kept.
 * Takes: keys and values.  Gives: text.  Must not: lose a failed allocation. */
#include "report/json_tree.h"

#include "report/safe_text.h"

#include <inttypes.h>
#include <string.h>

/* Hangs `item` under `parent`, or gives it up. Returns it when it hangs. */
static cJSON *attach(struct json_tree *tree, cJSON *parent, const char *key, cJSON *item)
{
    bool is_attached =
        item && parent &&
        (key ? cJSON_AddItemToObjectCS(parent, key, item) : cJSON_AddItemToArray(parent, item));
    if (is_attached)
        return item;
    cJSON_Delete(item);
    tree->failed = true;
    return NULL;
}

cJSON *json_root(struct json_tree *tree)
{
    tree->root = cJSON_CreateObject();
    tree->failed = !tree->root;
    return tree->root;
}

cJSON *json_object(struct json_tree *tree, cJSON *parent, const char *key)
{
    return attach(tree, parent, key, cJSON_CreateObject());
}

cJSON *json_array(struct json_tree *tree, cJSON *parent, const char *key)
{
    return attach(tree, parent, key, cJSON_CreateArray());
}

const char *json_valid_text(struct arena *arena, const char *value)
{
    const char *at = value;
    size_t nbytes;
    while ((nbytes = safe_utf8_nbytes(at)) != 0)
        at += nbytes;
    if (*at == 0)
        return value;
    struct text valid = {.arena = arena};
    for (at = value; *at != 0; at += nbytes == 0 ? 1 : nbytes) {
        nbytes = safe_utf8_nbytes(at);
        if (nbytes == 0)
            text_printf(&valid, "\\x%02X", (unsigned)(unsigned char)*at);
        else
            text_add(&valid, at, nbytes);
    }
    return valid.chars ? valid.chars : "";
}

void json_text(struct json_tree *tree, cJSON *parent, const char *key, const char *value)
{
    if (!value)
        json_null(tree, parent, key);
    else
        attach(tree, parent, key, cJSON_CreateStringReference(json_valid_text(tree->arena, value)));
}

void json_number(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value)
{
    attach(tree, parent, key, cJSON_CreateNumber((double)value));
}

void json_number_or_null(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value,
                         uint64_t none)
{
    if (value == none)
        json_null(tree, parent, key);
    else
        json_number(tree, parent, key, value);
}

void json_hex(struct json_tree *tree, cJSON *parent, const char *key, uint64_t value, unsigned width_nbytes)
{
    int digits = (int)(width_nbytes > 8 ? 16 : 2 * width_nbytes);
    json_text(tree, parent, key, arena_printf(tree->arena, "0x%0*" PRIX64, digits, value));
}

void json_bool(struct json_tree *tree, cJSON *parent, const char *key, bool value)
{
    attach(tree, parent, key, cJSON_CreateBool(value));
}

void json_null(struct json_tree *tree, cJSON *parent, const char *key)
{
    attach(tree, parent, key, cJSON_CreateNull());
}

void json_print(struct json_tree *tree, struct text *text)
{
    char *printed = tree->failed ? NULL : cJSON_PrintBuffered(tree->root, 16 * 1024, true);
    if (printed)
        text_addz(text, printed);
    else
        tree->arena->exhausted = true;
    cJSON_free(printed);
    cJSON_Delete(tree->root);
    tree->root = NULL;
}

void json_add_quoted(struct text *text, const char *value)
{
    text_add(text, "\"", 1);
    for (const char *at = json_valid_text(text->arena, value); *at != 0; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\')
            text_printf(text, "\\%c", c);
        else if (c < 0x20)
            text_printf(text, "\\u%04X", (unsigned)c);
        else
            text_add(text, at, 1);
    }
    text_add(text, "\"", 1);
}
