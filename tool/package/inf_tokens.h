/* inf_tokens.h - %token% in an INF file.
 * Takes: its entries, just made by inf_read().  Gives: their values as Windows reads them.
 * Must not: be included outside tool/package, or let a small file grow without bound. */
#ifndef HVCIFIX_PACKAGE_INF_TOKENS_H
#define HVCIFIX_PACKAGE_INF_TOKENS_H

#include "package/inf.h"

/* Replaces tokens in all values but those of [Strings]. False, with *problem a sentence (NULL: memory). */
bool inf_expand_tokens(struct inf *inf, struct arena *arena, const char **problem);

#endif
