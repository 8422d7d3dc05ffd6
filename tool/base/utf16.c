/* utf16.c - utf16.h.
 * Takes: units or bytes.  Gives: the other form.  Must not: read beyond what it is given. */
#include "base/utf16.h"

enum { BYTES_OF_UNIT_MAX = 3, REPLACEMENT = 0xFFFD };

static bool is_high(uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

static char *put_utf8(char *end, uint32_t code_point)
{
    if (code_point < 0x80) {
        *end++ = (char)code_point;
        return end;
    }
    if (code_point < 0x800) {
        *end++ = (char)(0xC0 | code_point >> 6);
    } else {
        if (code_point < 0x10000) {
            *end++ = (char)(0xE0 | code_point >> 12);
        } else {
            *end++ = (char)(0xF0 | code_point >> 18);
            *end++ = (char)(0x80 | (code_point >> 12 & 0x3F));
        }
        *end++ = (char)(0x80 | (code_point >> 6 & 0x3F));
    }
    *end++ = (char)(0x80 | (code_point & 0x3F));
    return end;
}

char *utf16_to_utf8(const uint16_t *units, size_t unit_count, struct arena *arena, size_t *nbytes)
{
    /* A pair gives four bytes, so three for each unit are enough. */
    char *utf8 = arena_array(arena, unit_count + 1, BYTES_OF_UNIT_MAX);
    char *end = utf8;
    for (size_t i = 0; utf8 && i < unit_count; i++) {
        uint32_t code_point = units[i];
        if (is_high(code_point) && i + 1 < unit_count && is_low(units[i + 1]))
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (units[++i] - 0xDC00u);
        end = put_utf8(end, code_point);
    }
    *nbytes = (size_t)(end - utf8);
    return utf8;
}

/* The character at the beginning of `left_nbytes` (at least one) bytes; *nbytes is its length. */
static uint32_t take_utf8(const unsigned char *bytes, size_t left_nbytes, size_t *nbytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* that takes so many bytes */
    unsigned first = bytes[0];
    size_t length = first < 0x80   ? 1
                    : first < 0xC0 ? 0
                    : first < 0xE0 ? 2
                    : first < 0xF0 ? 3
                    : first < 0xF8 ? 4
                                   : 0;
    *nbytes = 1;
    if (length <= 1)
        return length == 1 ? first : REPLACEMENT;
    if (length > left_nbytes)
        return REPLACEMENT;
    uint32_t code_point = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return REPLACEMENT;
        code_point = code_point << 6 | (bytes[i] & 0x3F);
    }
    if (code_point < least[length] || code_point > 0x10FFFF)
        return REPLACEMENT;
    *nbytes = length;
    return code_point;
}

uint16_t *utf16_from_utf8(const char *utf8, size_t nbytes, struct arena *arena, size_t *unit_count)
{
    uint16_t *units = arena_array(arena, nbytes + 1, sizeof *units);
    size_t count = 0, at = 0;
    while (units && at < nbytes) {
        size_t length;
        uint32_t code_point = take_utf8((const unsigned char *)utf8 + at, nbytes - at, &length);
        at += length;
        if (code_point >= 0x10000) {
            units[count++] = (uint16_t)(0xD800 + ((code_point - 0x10000) >> 10));
            code_point = 0xDC00 + (code_point & 0x3FF);
        }
        units[count++] = (uint16_t)code_point;
    }
    *unit_count = count;
    return units;
}
