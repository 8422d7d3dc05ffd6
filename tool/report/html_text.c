/* html_text.c - html_text.h.
 * Takes: any bytes.  Gives: text of HTML.  Must not: change what is harmless. */
#include "report/html_text.h"

#include "base/path_name.h"
#include "report/digits.h"
#include "report/safe_text.h"

#include <string.h>

/* U+FFFE and its like, which are no characters, and what takes no room on a screen but makes one name look
 * like another. safe_add() has dealt with controls, directions and bytes that are no UTF-8. */
static bool is_unfit(const unsigned char *at, size_t nbytes)
{
    if (nbytes == 2)
        return at[0] == 0xC2 && at[1] == 0xAD; /* U+00AD, a hyphen that may not show */
    if (nbytes == 3)
        return (at[0] == 0xEF && at[1] == 0xBF && at[2] >= 0xBE) ||                  /* U+FFFE, U+FFFF */
               (at[0] == 0xEF && at[1] == 0xB7 && at[2] >= 0x90 && at[2] <= 0xAF) || /* U+FDD0 to U+FDEF */
               (at[0] == 0xE2 && at[1] == 0x80 && at[2] >= 0x8B && at[2] <= 0x8D) || /* U+200B to U+200D */
               (at[0] == 0xE2 && at[1] == 0x81 && at[2] >= 0xA0 && at[2] <= 0xAF);   /* U+2060 to U+206F */
    if (nbytes != 4)
        return false;
    bool is_last_of_plane = (at[1] & 0x0F) == 0x0F && at[2] == 0xBF && at[3] >= 0xBE;
    bool is_tag = at[0] == 0xF3 && at[1] == 0xA0; /* U+E0000 to U+E0FFF */
    return is_last_of_plane || is_tag;
}

static const char *reference_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* One character of a safe text. */
static void add_character(struct text *text, const char *at, size_t nbytes)
{
    const char *reference = nbytes == 1 ? reference_of(*at) : NULL;
    if (reference) {
        text_addz(text, reference);
        return;
    }
    if (!is_unfit((const unsigned char *)at, nbytes)) {
        text_add(text, at, nbytes);
        return;
    }
    for (size_t i = 0; i < nbytes; i++) {
        text_addz(text, "\\x");
        digits_hex(text, (unsigned char)at[i], 2);
    }
}

/* Bytes from `at` on that are printable ASCII and stay as they are. */
static size_t plain_nbytes(const char *at, const char *end)
{
    const char *c = at;
    while (c < end && (unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7F && !reference_of(*c))
        c++;
    return (size_t)(c - at);
}

static const char *made_safe(struct text *text, const char *chars)
{
    struct text safe = {.arena = text->arena};
    safe_add(&safe, chars);
    return safe.chars ? safe.chars : "";
}

/* One character, or a byte that is part of none: the copy ends where it does. */
static size_t add_any(struct text *text, const char *at)
{
    size_t nbytes = safe_utf8_nbytes(at);
    bool is_plain = nbytes == 1 && (unsigned char)*at >= 0x20 && *at != 0x7F;
    char copy[5] = {0};
    memcpy(copy, at, nbytes == 0 ? 1 : nbytes);
    if (is_plain || is_unfit((const unsigned char *)at, nbytes))
        add_character(text, at, nbytes);
    else
        safe_add(text, copy);
    return nbytes == 0 ? 1 : nbytes;
}

/* Takes no memory but the text's own. `end` is no place inside a character. */
static void add_up_to(struct text *text, const char *at, const char *end)
{
    while (at < end) {
        size_t nbytes = plain_nbytes(at, end);
        text_add(text, at, nbytes);
        at += nbytes;
        if (at < end)
            at += add_any(text, at);
    }
}

void html_add(struct text *text, const char *chars)
{
    add_up_to(text, chars, chars + strlen(chars));
}

/* What is no Latin, Greek or Cyrillic letter may be as wide as two, or be written out as \xNN... */
static size_t columns_of(const char *at, size_t nbytes)
{
    if (is_unfit((const unsigned char *)at, nbytes))
        return 4 * nbytes;
    return nbytes < 3 ? 1 : 2;
}

void html_add_short(struct text *text, const char *chars, size_t columns)
{
    const char *safe = made_safe(text, chars);
    size_t all_columns = 0, column = 0;
    for (const char *at = safe; *at != 0; at += safe_utf8_nbytes(at))
        all_columns += columns_of(at, safe_utf8_nbytes(at));
    for (const char *at = safe; *at != 0; at += safe_utf8_nbytes(at)) {
        size_t nbytes = safe_utf8_nbytes(at);
        column += columns_of(at, nbytes);
        if (all_columns > columns && column > columns - 1) {
            text_addz(text, "…");
            return;
        }
        add_character(text, at, nbytes);
    }
}

void html_element(struct text *text, const char *tag, const char *class_name, const char *words)
{
    if (!words || words[0] == 0)
        return;
    text_addz(text, "<");
    text_addz(text, tag);
    if (class_name) {
        text_addz(text, " class=\"");
        text_addz(text, class_name);
        text_addz(text, "\"");
    }
    text_addz(text, ">");
    html_add(text, words);
    text_addz(text, "</");
    text_addz(text, tag);
    text_addz(text, ">");
}

void html_path(struct text *text, const char *path)
{
    const char *name = path_last_named_part(path);
    text_addz(text, "<bdi class=\"path\">");
    if (name != path) {
        text_addz(text, "<span class=\"folder\">");
        add_up_to(text, path, name);
        text_addz(text, "</span>");
    }
    html_element(text, "b", NULL, name);
    text_addz(text, "</bdi>");
}

void html_hex(struct text *text, uint64_t value)
{
    text_addz(text, "0x");
    digits_hex(text, value, 1);
}

void html_range(struct text *text, uint64_t rva, uint64_t nbytes)
{
    digits_hex(text, rva, 8);
    text_addz(text, "–");
    digits_hex(text, nbytes == 0 ? rva : rva + nbytes - 1, 8);
}

void html_number(struct text *text, uint64_t value)
{
    char digits[32];
    size_t at = sizeof digits;
    for (size_t count = 0; count == 0 || value != 0; count++, value /= 10) {
        if (count != 0 && count % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + value % 10);
    }
    text_add(text, digits + at, sizeof digits - at);
}

void html_count(struct text *text, uint64_t count, const char *one, const char *many)
{
    html_number(text, count);
    text_addz(text, " ");
    text_addz(text, count == 1 ? one : many);
}
