/* shell_words.c - shell_words.h.
 * Takes: words.  Gives: quoted words.  Must not: quote what no quoting makes safe. */
#include "doctor/shell_words.h"

#include "report/safe_text.h"

#include <string.h>

bool shell_takes(enum shell shell, const char *word, struct arena *arena)
{
    struct text shown = {.arena = arena};
    safe_add(&shown, word);
    bool is_plain = !arena->exhausted && strcmp(shown.chars ? shown.chars : "", word) == 0;
    return is_plain && (shell == SHELL_POSIX || !strpbrk(word, "\"%$`!"));
}

void shell_add(struct text *text, enum shell shell, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:\\+=-";
    bool is_plain =
        *word != 0 && word[strspn(word, plain)] == 0 && (shell == SHELL_WINDOWS || !strchr(word, '\\'));
    const char *front = *word == '-' ? "./" : "";
    text_addz(text, is_plain ? front : shell == SHELL_POSIX ? "'" : "\"");
    if (!is_plain)
        text_addz(text, front);
    for (const char *at = word; *at; at++) {
        if (*at == '\'' && shell == SHELL_POSIX)
            text_addz(text, "'\\''");
        else
            text_add(text, at, 1);
    }
    /* A backslash before the closing mark would take it away. */
    if (!is_plain && shell == SHELL_WINDOWS && word[strlen(word) - (*word != 0)] == '\\')
        text_addz(text, "\\");
    if (!is_plain)
        text_addz(text, shell == SHELL_POSIX ? "'" : "\"");
}
