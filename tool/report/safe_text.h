/* safe_text.h - words from outside made harmless for a screen, a log and MSBuild.
 * Takes: any bytes (paths, section names, messages that quote them).  Gives: lines in a text.
 * Must not: let data control the terminal, start a line of its own, or pass for a diagnostic. */
#ifndef HVCIFIX_REPORT_SAFE_TEXT_H
#define HVCIFIX_REPORT_SAFE_TEXT_H

#include "base/text.h"

/* Bytes (1 to 4) of the well-formed UTF-8 sequence at `chars`, which ends with a NUL; 0 when the bytes
 * there are none (stray, overlong, surrogate, beyond U+10FFFF) and for the NUL itself. */
size_t safe_utf8_nbytes(const char *chars);

/* Appends `chars`; control characters, line separators, characters that reverse the direction of text and
 * bytes that are not UTF-8 become \xNN. */
void safe_add(struct text *text, const char *chars);

/* As safe_add(), and every colon but that of a drive letter becomes \x3A: the origin of an MSBuild
 * diagnostic ends at its first colon. */
void safe_add_path(struct text *text, const char *path);

/* Ends a line that is not a diagnostic: wherever MSBuild could read the line from `line_start` as one
 * ("error" or "warning", at most one word, a colon), that colon becomes a semicolon. Takes blanks off the
 * end and adds the newline. */
void safe_end_line(struct text *text, size_t line_start);

#endif
