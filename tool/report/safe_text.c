/* safe_text.c - escaping, and the guard against lines that pass for diagnostics.
 * Takes: any bytes.  Gives: lines in a text.  Must not: change what is harmless.
 * The guard follows MSBuild's patterns (CanonicalError.cs): an optional origin and subcategory, "error" or
 * "warning" in any case, optionally a blank and one code without blank or colon, blanks, a colon. */
#include "report/safe_text.h"

#include <string.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t safe_utf8_nbytes(const char *chars)
{
    unsigned char first = (unsigned char)chars[0];
    if (first == 0)
        return 0;
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || !is_continuation(chars[1]))
        return 0;
    unsigned char second = (unsigned char)chars[1];
    if (first < 0xE0)
        return 2;
    if (first < 0xF0) {
        bool is_overlong = first == 0xE0 && second < 0xA0;
        bool is_surrogate = first == 0xED && second >= 0xA0;
        return !is_overlong && !is_surrogate && is_continuation(chars[2]) ? 3 : 0;
    }
    bool is_overlong = first == 0xF0 && second < 0x90;
    bool is_beyond = first == 0xF4 && second >= 0x90;
    return !is_overlong && !is_beyond && is_continuation(chars[2]) && is_continuation(chars[3]) ? 4 : 0;
}

/* Characters that are valid UTF-8 but move the cursor, end a line or reorder text on a screen. */
static bool is_harmful(const char *chars, size_t nbytes)
{
    unsigned char b0 = (unsigned char)chars[0];
    if (nbytes == 1)
        return b0 < 0x20 || b0 == 0x7F;
    unsigned char b1 = (unsigned char)chars[1];
    if (nbytes == 2)
        return (b0 == 0xC2 && b1 < 0xA0) || (b0 == 0xD8 && b1 == 0x9C); /* U+0080 to U+009F; U+061C */
    if (nbytes != 3)
        return false;
    unsigned char b2 = (unsigned char)chars[2];
    if (b0 == 0xE2 && b1 == 0x80) /* U+200E, U+200F; U+2028 to U+202E */
        return b2 == 0x8E || b2 == 0x8F || (b2 >= 0xA8 && b2 <= 0xAE);
    if (b0 == 0xE2 && b1 == 0x81) /* U+2066 to U+2069 */
        return b2 >= 0xA6 && b2 <= 0xA9;
    return b0 == 0xEF && b1 == 0xBB && b2 == 0xBF; /* U+FEFF */
}

static void add_escaped(struct text *text, const char *chars, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        text_printf(text, "\\x%02X", (unsigned)(unsigned char)chars[i]);
}

static void add_safely(struct text *text, const char *chars, bool is_path)
{
    const char *plain = chars; /* start of the run that needs no change */
    const char *at = chars;
    while (*at != 0) {
        size_t nbytes = safe_utf8_nbytes(at);
        bool is_drive_colon =
            at == chars + 1 && ((chars[0] >= 'A' && chars[0] <= 'Z') || (chars[0] >= 'a' && chars[0] <= 'z'));
        bool is_forbidden_colon = is_path && *at == ':' && !is_drive_colon;
        if (nbytes != 0 && !is_harmful(at, nbytes) && !is_forbidden_colon) {
            at += nbytes;
            continue;
        }
        text_add(text, plain, (size_t)(at - plain));
        add_escaped(text, at, nbytes == 0 ? 1 : nbytes);
        at += nbytes == 0 ? 1 : nbytes;
        plain = at;
    }
    text_add(text, plain, (size_t)(at - plain));
}

void safe_add(struct text *text, const char *chars)
{
    add_safely(text, chars, false);
}

void safe_add_path(struct text *text, const char *path)
{
    add_safely(text, path, true);
}

/* Length of "error" or "warning" at `at`, in any case, or 0. Where .NET ignores case, U+0130 and U+0131
 * (C4 B0, C4 B1) can equal "i". */
static size_t level_word_nbytes(const char *at, const char *end)
{
    static const char *const words[] = {"error", "warning"};
    for (size_t w = 0; w < 2; w++) {
        const char *c = at;
        const char *letter = words[w];
        while (*letter != 0 && c < end) {
            char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
            if (lower == *letter) {
                c++;
            } else if (*letter == 'i' && end - c >= 2 && (unsigned char)c[0] == 0xC4 &&
                       ((unsigned char)c[1] & 0xFE) == 0xB0) {
                c += 2;
            } else {
                break;
            }
            letter++;
        }
        if (*letter == 0)
            return (size_t)(c - at);
    }
    return 0;
}

/* Defuses every colon that would make a diagnostic of the level word before `at`: one reached over nothing
 * but blanks and at most one word, which a blank must separate from the level word. Bytes beyond ASCII may
 * be blanks to .NET, so a word of nothing else does not count. */
static void defuse_colons(char *at, const char *end)
{
    if (at < end && *at != ':' && *at != ' ' && (unsigned char)*at < 0x80)
        return;
    size_t word_count = 0;
    bool in_word = false;
    for (; at < end; at++) {
        if (*at == ':')
            *at = ';';
        if (*at == ' ')
            in_word = false;
        else if (!in_word && (unsigned char)*at < 0x80) {
            if (++word_count > 1)
                return;
            in_word = true;
        }
    }
}

void safe_end_line(struct text *text, size_t line_start)
{
    if (text->chars) {
        char *end = text->chars + text->nbytes;
        for (char *at = text->chars + line_start; at < end; at++) {
            size_t nbytes = level_word_nbytes(at, end);
            if (nbytes != 0)
                defuse_colons(at + nbytes, end);
        }
        while (text->nbytes > line_start && text->chars[text->nbytes - 1] == ' ')
            text->chars[--text->nbytes] = 0;
    }
    text_add(text, "\n", 1);
}
