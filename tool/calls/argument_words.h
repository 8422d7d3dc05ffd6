/* argument_words.h - a value as a reader of source code would write it.
 * Takes: a value and where it was found.  Gives: text in the arena, not yet safe for a terminal.
 * Must not: judge. */
#ifndef HVCIFIX_CALLS_ARGUMENT_WORDS_H
#define HVCIFIX_CALLS_ARGUMENT_WORDS_H

#include "calls/calls_internal.h"

/* "0x40", "&.data+0x10", "\"text\"", "argument 2", "?" ... or several: "0 or 0x200". */
const char *argument_words(struct call_search *search, value_number value);

#endif
