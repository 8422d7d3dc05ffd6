/* roff.h - words in the source form of manual pages.
 * Takes: plain text.  Gives: lines that nroff and mandoc show as that text.  Must not: know what is said. */
#ifndef HVCIFIX_BASE_ROFF_H
#define HVCIFIX_BASE_ROFF_H

#include "base/text.h"

/* Prose, escaped, filled into lines of less than 80 bytes and ended by a line end. Line ends in it count as
 * blanks. */
void roff_prose(struct text *text, const char *words);

/* Lines that are shown as they stand, escaped, and ended by a line end. */
void roff_lines(struct text *text, const char *lines);

/* The characters of one line, escaped; for what stands behind a macro or in the middle of a line. */
void roff_add(struct text *text, const char *chars);

#endif
