/* address_words.c - address_words.h.
 * Takes: characters.  Gives: at most one word.  Must not: look behind the given end. */
#include "translate/address_words.h"

#include "base/text.h"

enum { MOST_DIGITS = 16, HALF_DIGITS = 8 };

/* A place in characters that end. */
struct cursor {
    const char *chars;
    size_t nbytes, at;
};

static bool is_decimal(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    char lower = text_lower(c);
    return lower >= 'a' && lower <= 'z';
}

bool address_is_word_char(char c)
{
    return is_decimal(c) || is_letter(c) || c == '_';
}

/* 0 to 15, or -1. */
static int digit_of(char c)
{
    char lower = text_lower(c);
    return is_decimal(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The next character; 0, which no word holds, behind the end. */
static char peek(const struct cursor *cursor)
{
    return cursor->at < cursor->nbytes ? cursor->chars[cursor->at] : 0;
}

static bool take(struct cursor *cursor, const char *text)
{
    size_t nbytes = strlen(text);
    if (!range_fits(cursor->nbytes, cursor->at, nbytes) ||
        memcmp(cursor->chars + cursor->at, text, nbytes) != 0)
        return false;
    cursor->at += nbytes;
    return true;
}

static bool take_0x(struct cursor *cursor)
{
    return take(cursor, "0x") || take(cursor, "0X");
}

/* A run of hexadecimal digits behind which no word goes on. False when there are none, or more than 16. */
static bool take_digits(struct cursor *cursor, uint64_t *value, size_t *digit_count)
{
    size_t begin = cursor->at;
    *value = 0;
    while (digit_of(peek(cursor)) >= 0 && cursor->at - begin <= MOST_DIGITS)
        *value = *value << 4 | (uint64_t)digit_of(cursor->chars[cursor->at++]);
    *digit_count = cursor->at - begin;
    return *digit_count != 0 && *digit_count <= MOST_DIGITS && !address_is_word_char(peek(cursor));
}

/* The digits of an RVA or of an offset. */
static bool take_u32(struct cursor *cursor, struct address_word *word, uint32_t *value)
{
    uint64_t wide;
    word->value_at = cursor->at;
    if (!take_digits(cursor, &wide, &word->value_nbytes) || wide > UINT32_MAX || peek(cursor) == '`')
        return false;
    *value = (uint32_t)wide;
    return true;
}

static bool same_char(char in_name, char in_text)
{
    return text_lower(in_name) == text_lower(in_text) || (in_text == '_' && !address_is_word_char(in_name));
}

static bool take_name(struct cursor *cursor, const char *name, size_t nbytes)
{
    if (!range_fits(cursor->nbytes, cursor->at, nbytes))
        return false;
    for (size_t i = 0; i < nbytes; i++)
        if (!same_char(name[i], cursor->chars[cursor->at + i]))
            return false;
    cursor->at += nbytes;
    return true;
}

/* The module's name, and perhaps its extension. */
static bool take_module(struct cursor *cursor, const char *module, bool *has_extension)
{
    const char *dot = strrchr(module, '.');
    size_t stem_nbytes = dot && dot != module ? (size_t)(dot - module) : strlen(module);
    if (stem_nbytes == 0 || !take_name(cursor, module, stem_nbytes))
        return false;
    *has_extension = module[stem_nbytes] != 0 && peek(cursor) == '.' &&
                     take_name(cursor, module + stem_nbytes, strlen(module) - stem_nbytes);
    return !address_is_word_char(peek(cursor));
}

static bool is_symbol_char(char c)
{
    return address_is_word_char(c) || (c != 0 && strchr("@$?:.~<>,*&", c));
}

/* "!Name+0x12": the place that the name and the offset say. */
static bool take_symbol(const struct address_words *words, struct cursor *cursor, struct address_word *word)
{
    size_t name_at = cursor->at;
    while (is_symbol_char(peek(cursor)))
        cursor->at++;
    size_t name_nbytes = cursor->at - name_at;
    uint32_t offset;
    if (!(take(cursor, "+") || take(cursor, " + ")) || !take_0x(cursor) || !take_u32(cursor, word, &offset))
        return false;
    word->name = address_map_named(words->map, cursor->chars + name_at, name_nbytes);
    if (!word->name || offset > UINT32_MAX - word->name->rva[words->from])
        return false;
    word->kind = WORD_NAME;
    word->rva = word->name->rva[words->from] + offset;
    word->offset_digits_nbytes = word->value_nbytes;
    word->value_at = name_at;
    word->value_nbytes = cursor->at - name_at;
    return true;
}

static bool take_place(const struct address_words *words, struct cursor *cursor, bool has_extension,
                       struct address_before before, struct address_word *word)
{
    word->kind = WORD_RVA;
    if (take(cursor, "!"))
        return take_symbol(words, cursor, word);
    if (take(cursor, "+")) {
        (void)take_0x(cursor);
        return take_u32(cursor, word, &word->rva);
    }
    if (has_extension && before.last == '<' && take(cursor, ":"))
        return take_u32(cursor, word, &word->rva);
    static const char *const leads[] = {" + ", " (+", "(+"};
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (take(cursor, leads[i]))
            return take_0x(cursor) && take_u32(cursor, word, &word->rva);
    return has_extension && take(cursor, "||||") && take_0x(cursor) && take_u32(cursor, word, &word->rva);
}

/* In front of the name of a module stands nothing that could make it a part of another name. */
static bool can_begin_module(char before)
{
    return !address_is_word_char(before) && (unsigned char)before < 0x80 &&
           (before == 0 || !strchr(".-$?!`@+%#~", before));
}

static bool match_module(const struct address_words *words, const char *chars, size_t nbytes,
                         struct address_before before, struct address_word *word)
{
    if (!can_begin_module(before.last))
        return false;
    for (size_t i = 0; i < sizeof words->modules / sizeof words->modules[0]; i++) {
        struct cursor cursor = {chars, nbytes, 0};
        bool has_extension;
        if (words->modules[i] && take_module(&cursor, words->modules[i], &has_extension) &&
            take_place(words, &cursor, has_extension, before, word)) {
            word->nbytes = cursor.at;
            return true;
        }
    }
    return false;
}

/* A virtual address stands alone, or behind what names or quotes it, and is no distance. */
static bool can_begin_va(struct address_before before)
{
    return (before.last == 0 || strchr(" \t([{<=:,;|\"'!>@", before.last)) && before.last_solid != '+' &&
           before.last_solid != '-';
}

static bool match_va(const struct address_words *words, const char *chars, size_t nbytes,
                     struct address_before before, struct address_word *word)
{
    struct cursor cursor = {chars, nbytes, 0};
    uint64_t value, low;
    size_t digit_count, low_count = 0;
    if (!words->has_base || !can_begin_va(before))
        return false;
    bool has_0x = take_0x(&cursor);
    word->kind = WORD_VA;
    word->value_at = cursor.at;
    if (!take_digits(&cursor, &value, &digit_count))
        return false;
    if (peek(&cursor) == '`') {
        cursor.at++;
        if (digit_count > HALF_DIGITS || !take_digits(&cursor, &low, &low_count) || low_count != HALF_DIGITS)
            return false;
        value = value << 32 | low;
    } else if (!has_0x && digit_count != HALF_DIGITS && digit_count != MOST_DIGITS) {
        return false;
    }
    if (value < words->base_va || value - words->base_va >= words->map->image_nbytes[words->from] ||
        peek(&cursor) == '`')
        return false;
    word->rva = (uint32_t)(value - words->base_va);
    word->value_nbytes = cursor.at - word->value_at;
    word->nbytes = cursor.at;
    return true;
}

bool address_word_match(const struct address_words *words, const char *chars, size_t nbytes,
                        struct address_before before, struct address_word *word)
{
    size_t seen_nbytes = nbytes < ADDRESS_WORD_MOST_NBYTES ? nbytes : ADDRESS_WORD_MOST_NBYTES;
    *word = (struct address_word){.nbytes = 0};
    return match_module(words, chars, seen_nbytes, before, word) ||
           (digit_of(chars[0]) >= 0 && match_va(words, chars, seen_nbytes, before, word));
}

bool address_parse(const char *word, uint64_t *value)
{
    struct cursor cursor = {word, strlen(word), 0};
    size_t digit_count;
    uint64_t low;
    (void)take_0x(&cursor);
    if (!take_digits(&cursor, value, &digit_count))
        return false;
    if (take(&cursor, "`")) {
        if (digit_count > HALF_DIGITS || !take_digits(&cursor, &low, &digit_count) ||
            digit_count != HALF_DIGITS)
            return false;
        *value = *value << 32 | low;
    }
    return cursor.at == cursor.nbytes;
}
