/* translate.c - translate.h.
 * Takes: bytes.  Gives: bytes, through put().  Must not: allocate. */
#include "translate/translate.h"

#include <inttypes.h>
#include <stdio.h>

static void put(struct translation *translation, const char *chars, size_t nbytes)
{
    if (nbytes != 0 && !translation->is_stopped)
        translation->is_stopped = !translation->put(translation->context, chars, nbytes);
}

const char *translate_reason(enum address_state state, uint32_t rva, char room[TRANSLATE_REASON_NBYTES])
{
    switch (state) {
    case ADDRESS_MAPPED:
        return NULL;
    case ADDRESS_IN_STUB:
        snprintf(room, TRANSLATE_REASON_NBYTES, "start stub of 0x%" PRIX32, rva);
        return room;
    case ADDRESS_ADDED:
        return "no counterpart";
    case ADDRESS_OUTSIDE:
        break;
    }
    return "outside the image";
}

/* A number with the letters of the digits that it replaces, and, where they begin with 0, with their width.
 */
static void put_number(struct translation *translation, uint64_t value, const char *digits, size_t nbytes)
{
    bool is_upper = false, has_accent = false;
    char room[24], text[24];
    for (size_t i = 0; i < nbytes; i++) {
        is_upper = is_upper || (digits[i] >= 'A' && digits[i] <= 'F');
        has_accent = has_accent || digits[i] == '`';
    }
    size_t width = has_accent || digits[0] == '0' ? nbytes - has_accent : 1;
    snprintf(text, sizeof text, is_upper ? "%0*" PRIX64 : "%0*" PRIx64, (int)width, value);
    size_t text_nbytes = strlen(text);
    if (has_accent) /* before the last 8 digits */
        snprintf(room, sizeof room, "%.*s`%s", (int)(text_nbytes - 8), text, text + text_nbytes - 8);
    put(translation, has_accent ? room : text, strlen(has_accent ? room : text));
}

static void put_name(struct translation *translation, uint32_t rva, const struct address_word *word,
                     const char *chars)
{
    const struct address_words *words = &translation->words;
    enum address_side to = other_side(words->from);
    const struct address_name *name = word->name;
    const char *digits = chars + word->value_at + word->value_nbytes - word->offset_digits_nbytes;
    if (rva - name->rva[to] == word->rva - name->rva[words->from]) {
        put(translation, chars + word->value_at, word->value_nbytes);
        return;
    }
    name = address_map_name_below(words->map, to, rva);
    if (name) {
        put(translation, name->name, strlen(name->name));
        put(translation, "+0x", 3);
        put_number(translation, rva - name->rva[to], digits, 1);
    } else {
        char text[24];
        snprintf(text, sizeof text, "0x%" PRIx32, rva); /* "driver!0x1234" is what debuggers print, too */
        put(translation, text, strlen(text));
    }
}

enum address_state translate_word(struct translation *translation, const char *chars,
                                  const struct address_word *word, uint32_t *counterpart)
{
    const struct address_words *words = &translation->words;
    enum address_state state = address_map_find(words->map, words->from, word->rva, counterpart);
    if (state != ADDRESS_MAPPED) {
        translation->lost_count++;
        put(translation, chars, word->nbytes);
        return state;
    }
    translation->translated_count++;
    put(translation, chars, word->value_at);
    if (word->kind == WORD_NAME)
        put_name(translation, *counterpart, word, chars);
    else
        put_number(translation, (word->kind == WORD_VA ? words->base_va : 0) + *counterpart,
                   chars + word->value_at, word->value_nbytes);
    put(translation, chars + word->value_at + word->value_nbytes,
        word->nbytes - word->value_at - word->value_nbytes);
    return state;
}

static void put_mark(struct translation *translation, enum address_state state, uint32_t rva)
{
    char room[TRANSLATE_REASON_NBYTES];
    const char *reason = translate_reason(state, rva, room);
    if (!reason || !translation->marks)
        return;
    put(translation, "[hvcifix: ", 10);
    put(translation, reason, strlen(reason));
    put(translation, "]", 1);
}

static void pass(struct address_before *before, char c)
{
    bool is_end = c == '\n';
    before->last = is_end ? 0 : c;
    if (is_end || (c != ' ' && c != '\t' && c != '\r'))
        before->last_solid = is_end ? 0 : c;
}

size_t translate_bytes(struct translation *translation, const char *chars, size_t nbytes, bool is_line_end)
{
    struct address_before *before = &translation->before;
    size_t done = 0, at = 0;
    while (at < nbytes) {
        struct address_word word;
        bool can_begin = ((unsigned char)chars[at] >= 0x80 || address_is_word_char(chars[at])) &&
                         !address_is_word_char(before->last);
        if (can_begin && !is_line_end && nbytes - at < ADDRESS_WORD_MOST_NBYTES)
            break;
        if (can_begin && address_word_match(&translation->words, chars + at, nbytes - at, *before, &word)) {
            uint32_t counterpart = 0;
            put(translation, chars + done, at - done);
            enum address_state state = translate_word(translation, chars + at, &word, &counterpart);
            put_mark(translation, state, counterpart);
            for (size_t i = 0; i < word.nbytes; i++)
                pass(before, chars[at + i]);
            at += word.nbytes;
            done = at;
        } else {
            pass(before, chars[at++]);
        }
    }
    put(translation, chars + done, at - done);
    return at;
}
