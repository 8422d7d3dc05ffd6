/* report_claims.c - UTF-8, JSON and MSBuild's pattern, each read by a small reader of the tests' own.
 * Takes: bytes.  Gives: answers.  Must not: use tool/report. */
#include "report_claims.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at text, 0 when it is not valid (The Unicode Standard, table 3-7). */
static size_t character_nbytes(const unsigned char *text, size_t nbytes)
{
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || length > nbytes)
        return 0;
    uint32_t point = text[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3FU);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    return point < smallest[length] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000) ? 0 : length;
}

size_t first_bad_utf8(const char *text, size_t nbytes)
{
    for (size_t at = 0, length; at < nbytes; at += length) {
        length = character_nbytes((const unsigned char *)text + at, nbytes - at);
        if (length == 0)
            return at;
    }
    return nbytes;
}

size_t first_bad_character(const char *text, size_t nbytes, bool colors_allowed)
{
    for (size_t at = 0, length; at < nbytes; at += length) {
        unsigned char c = (unsigned char)text[at];
        length = character_nbytes((const unsigned char *)text + at, nbytes - at);
        bool is_control =
            c < 0x20 || c == 0x7F || (c == 0xC2 && length == 2 && (unsigned char)text[at + 1] < 0xA0);
        if (length == 0 || (is_control && c != '\n' && (c != 0x1B || !colors_allowed)))
            return at;
    }
    return nbytes;
}

struct json {
    const char *text;
    size_t at, nbytes;
    unsigned depth;
};

static bool json_value(struct json *json);

static char json_peek(const struct json *json)
{
    return json->at < json->nbytes ? json->text[json->at] : '\0';
}

static void json_blanks(struct json *json)
{
    while (json->at < json->nbytes && strchr(" \t\r\n", json->text[json->at]))
        json->at++;
}

static bool json_take(struct json *json, const char *word)
{
    size_t length = strlen(word);
    if (length > json->nbytes - json->at || memcmp(json->text + json->at, word, length) != 0)
        return false;
    json->at += length;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool json_escape(struct json *json)
{
    json->at++; /* the backslash */
    char kind = json_peek(json);
    if (kind == 0 || !strchr("\"\\/bfnrtu", kind))
        return false;
    json->at++;
    for (unsigned i = 0; kind == 'u' && i < 4; i++, json->at++)
        if (!is_hex(json_peek(json)))
            return false;
    return true;
}

static bool json_string(struct json *json)
{
    if (!json_take(json, "\""))
        return false;
    while (json->at < json->nbytes && json_peek(json) != '"') {
        if (json_peek(json) == '\\') {
            if (!json_escape(json))
                return false;
        } else if ((unsigned char)json_peek(json) < 0x20) {
            return false;
        } else {
            json->at++;
        }
    }
    return json_take(json, "\"");
}

static size_t json_digits(struct json *json)
{
    size_t begin = json->at;
    while (json_peek(json) >= '0' && json_peek(json) <= '9')
        json->at++;
    return json->at - begin;
}

static bool json_number(struct json *json)
{
    (void)json_take(json, "-");
    size_t begin = json->at, count = json_digits(json);
    if (count == 0 || (count > 1 && json->text[begin] == '0'))
        return false;
    if (json_take(json, ".") && json_digits(json) == 0)
        return false;
    if (json_take(json, "e") || json_take(json, "E")) {
        (void)(json_take(json, "+") || json_take(json, "-"));
        return json_digits(json) != 0;
    }
    return true;
}

/* The members of an object or the elements of an array, up to and with `end`. */
static bool json_list(struct json *json, const char *end, bool has_names)
{
    json->at++;
    json_blanks(json);
    if (json_take(json, end))
        return true;
    do {
        json_blanks(json);
        if (has_names) {
            if (!json_string(json))
                return false;
            json_blanks(json);
            if (!json_take(json, ":"))
                return false;
        }
        if (!json_value(json))
            return false;
        json_blanks(json);
    } while (json_take(json, ","));
    return json_take(json, end);
}

static bool json_value(struct json *json)
{
    enum { MOST_LEVELS = 64 };
    bool is_good;
    if (json->depth++ > MOST_LEVELS)
        return false;
    json_blanks(json);
    switch (json_peek(json)) {
    case '{':
        is_good = json_list(json, "}", true);
        break;
    case '[':
        is_good = json_list(json, "]", false);
        break;
    case '"':
        is_good = json_string(json);
        break;
    case 't':
        is_good = json_take(json, "true");
        break;
    case 'f':
        is_good = json_take(json, "false");
        break;
    case 'n':
        is_good = json_take(json, "null");
        break;
    default:
        is_good = json_number(json);
    }
    json->depth--;
    return is_good;
}

size_t first_bad_json(const char *text, size_t nbytes)
{
    struct json json = {text, 0, nbytes, 0};
    bool is_good = json_value(&json);
    json_blanks(&json);
    return is_good && json.at == nbytes ? nbytes : json.at < nbytes ? json.at : nbytes - (nbytes != 0);
}

bool is_diagnostic(const char *line, size_t nbytes)
{
    /* Origin (a drive letter's colon is part of it), subcategory, category, code, colon. */
    static const char pattern[] = "^[[:space:]]*((([0-9]+>)?([A-Za-z]:)?[^:]*):)?([^:]* )?(error|warning)"
                                  "([[:space:]]+[^[:space:]:]*)?[[:space:]]*:";
    static regex_t compiled;
    static bool is_compiled;
    char copy[4096];
    if (!is_compiled && regcomp(&compiled, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        abort();
    is_compiled = true;
    if (nbytes >= sizeof copy)
        nbytes = sizeof copy - 1; /* what decides stands in front */
    memcpy(copy, line, nbytes);
    copy[nbytes] = 0;
    return regexec(&compiled, copy, 0, NULL, 0) == 0;
}
