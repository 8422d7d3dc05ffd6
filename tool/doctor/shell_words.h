/* shell_words.h - paths in command lines that people paste.
 * Takes: words.  Gives: the same, quoted for a shell.  Must not: quote what no quoting makes safe. */
#ifndef HVCIFIX_DOCTOR_SHELL_WORDS_H
#define HVCIFIX_DOCTOR_SHELL_WORDS_H

#include "base/text.h"

enum shell {
    SHELL_POSIX,  /* sh */
    SHELL_WINDOWS /* cmd and PowerShell alike */
};

/* Can the word be pasted at all? Not with control characters, bytes that are no UTF-8, or what turns the
 * direction of text; nor, in the shells of Windows, with a quotation mark, and with %, $ or ` , which cmd and
 * PowerShell read in ways that no quoting has in common. Without memory arena->exhausted is set. */
bool shell_takes(enum shell shell, const char *word, struct arena *arena);

/* Appends the word, quoted where it has to be, so that the shell hands on exactly these bytes. A path that
 * begins with - gets ./ in front. */
void shell_add(struct text *text, enum shell shell, const char *word);

#endif
