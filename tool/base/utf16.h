/* utf16.h - UTF-16 as Windows has it, and UTF-8.
 * Takes: units, unpaired surrogates included; any bytes.  Gives: the other form in an arena.
 * Must not: lose anything of a name: an unpaired surrogate, which Windows allows in names, becomes three
 * bytes of its own (the form called WTF-8), and these come back as the same unit. */
#ifndef HVCIFIX_BASE_UTF16_H
#define HVCIFIX_BASE_UTF16_H

#include "base/arena.h"

/* unit_count units in UTF-8, with a NUL behind them that *nbytes does not count. NULL when memory ran out. */
char *utf16_to_utf8(const uint16_t *units, size_t unit_count, struct arena *arena, size_t *nbytes);

/* nbytes bytes in UTF-16, with a 0 behind them that *unit_count does not count. A byte that is no part of a
 * character becomes U+FFFD. NULL when memory ran out. */
uint16_t *utf16_from_utf8(const char *utf8, size_t nbytes, struct arena *arena, size_t *unit_count);

#endif
