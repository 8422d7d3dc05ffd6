/* digest_words.h - a digest as people compare it.
 * Takes: 32 bytes.  Gives: 64 hexadecimal digits.  Must not: fail; without memory it gives "". */
#ifndef HVCIFIX_REPORT_DIGEST_WORDS_H
#define HVCIFIX_REPORT_DIGEST_WORDS_H

#include "base/arena.h"

static inline const char *digest_words(struct arena *arena, const uint8_t digest[32])
{
    static const char digits[] = "0123456789abcdef";
    char words[64];
    for (size_t i = 0; i < 32; i++) {
        words[2 * i] = digits[digest[i] >> 4];
        words[2 * i + 1] = digits[digest[i] & 15];
    }
    const char *copy = arena_copy_text(arena, words, sizeof words);
    return copy ? copy : "";
}

#endif
