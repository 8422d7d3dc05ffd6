/* digits.c - numbers into a text without printf.
 * Takes: values.  Gives: digits.  Must not: allocate but through the text. */
#include "report/digits.h"

enum { MOST_DIGITS = 20 };

static void add_based(struct text *text, uint64_t value, unsigned base, unsigned digit_count)
{
    char digits[MOST_DIGITS];
    size_t at = MOST_DIGITS;
    do
        digits[--at] = "0123456789ABCDEF"[value % base];
    while ((value /= base) != 0);
    while (MOST_DIGITS - at < digit_count)
        digits[--at] = '0';
    text_add(text, digits + at, MOST_DIGITS - at);
}

void digits_decimal(struct text *text, uint64_t value)
{
    add_based(text, value, 10, 1);
}

void digits_hex(struct text *text, uint64_t value, unsigned digit_count)
{
    add_based(text, value, 16, digit_count < 16 ? digit_count : 16);
}
