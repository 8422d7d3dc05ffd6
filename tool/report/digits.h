/* digits.h - numbers into a text without printf: listings of references have a million lines.
 * Takes: values.  Gives: digits.  Must not: allocate but through the text. */
#ifndef HVCIFIX_REPORT_DIGITS_H
#define HVCIFIX_REPORT_DIGITS_H

#include "base/text.h"

/* Decimal, no padding. */
void digits_decimal(struct text *text, uint64_t value);

/* Upper-case hexadecimal with at least digit_count digits (1 to 16), no prefix. */
void digits_hex(struct text *text, uint64_t value, unsigned digit_count);

#endif
