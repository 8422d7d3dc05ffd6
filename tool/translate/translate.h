/* translate.h - a text whose addresses of one module become those of the image before or after its repair.
 * Takes: bytes, piece by piece.  Gives: the same bytes, but for addresses.  Must not: change anything that is
 * not surely an address of the module (address_words.h), or keep more than a piece. */
#ifndef HVCIFIX_TRANSLATE_TRANSLATE_H
#define HVCIFIX_TRANSLATE_TRANSLATE_H

#include "translate/address_words.h"

struct translation {
    struct address_words words;
    bool marks; /* behind an address without counterpart stands why it has none */
    bool (*put)(void *context, const char *chars, size_t nbytes); /* false: the reader is gone */
    void *context;
    struct address_before before;          /* zeroed at the begin */
    uint64_t translated_count, lost_count; /* addresses with and without counterpart */
    bool is_stopped;                       /* put() has failed */
};

/* Why an address has no counterpart; a few words, in `room`. NULL for one that has. */
enum { TRANSLATE_REASON_NBYTES = 64 };
const char *translate_reason(enum address_state state, uint32_t rva, char room[TRANSLATE_REASON_NBYTES]);

/* Puts out as many bytes as can be: all of them, or, when more of the same line will follow (`is_line_end`
 * false), all but the last ADDRESS_WORD_MOST_NBYTES or fewer. Returns how many. Linear. */
size_t translate_bytes(struct translation *translation, const char *chars, size_t nbytes, bool is_line_end);

/* Puts out one word in the same form with another address, or, when it has no counterpart, as it is. */
enum address_state translate_word(struct translation *translation, const char *chars,
                                  const struct address_word *word, uint32_t *counterpart);

#endif
