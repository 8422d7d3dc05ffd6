/* roff.c - roff.h.
 * Takes: plain text.  Gives: roff.  Must not: know what is said. */
#include "base/roff.h"

#include <string.h>

enum { FILL_NBYTES = 76 };

static void add_character(struct text *text, char c)
{
    static const struct {
        char character;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},    {'^', "\\(ha"}, {'~', "\\(ti"},
                   {'`', "\\(ga"}, {'\'', "\\(aq"}, {'"', "\\(dq"}};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
        if (escapes[i].character == c) {
            text_addz(text, escapes[i].escape);
            return;
        }
    text_add(text, &c, 1);
}

/* A line that begins with a period would be a request. */
static void guard(struct text *text, char first)
{
    if (first == '.')
        text_addz(text, "\\&");
}

void roff_add(struct text *text, const char *chars)
{
    for (; *chars; chars++)
        add_character(text, *chars);
}

void roff_prose(struct text *text, const char *words)
{
    size_t line_start = text->nbytes;
    while (*words) {
        size_t nbytes = strcspn(words, " \n");
        if (nbytes != 0) {
            size_t before = text->nbytes;
            if (before != line_start)
                text_addz(text, before - line_start + nbytes > FILL_NBYTES ? "\n" : " ");
            if (before - line_start + nbytes > FILL_NBYTES || before == line_start) {
                line_start = text->nbytes;
                guard(text, words[0]);
            }
            for (size_t i = 0; i < nbytes; i++)
                add_character(text, words[i]);
        }
        words += nbytes + (words[nbytes] != 0);
    }
    text_addz(text, "\n");
}

void roff_lines(struct text *text, const char *lines)
{
    guard(text, lines[0]);
    for (; *lines; lines++) {
        if (*lines != '\n') {
            add_character(text, *lines);
            continue;
        }
        text_addz(text, "\n");
        guard(text, lines[1]);
    }
    text_addz(text, "\n");
}
