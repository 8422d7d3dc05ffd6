/* linker_words.h - the words that a linker reads: its command line with response files taken apart.
 * Takes: the words behind --.  Gives: words, and which kind of linker reads them.  Must not: know what they
 * mean to it. */
#ifndef HVCIFIX_CLI_LINKER_WORDS_H
#define HVCIFIX_CLI_LINKER_WORDS_H

#include "cli/split.h"

enum linker_kind {
    LINKER_LINK,   /* link.exe, lld-link: /OUT:FILE */
    LINKER_CL,     /* cl, clang-cl: /FeFILE, and behind /link as above */
    LINKER_GNU,    /* ld, gcc, clang: -o FILE */
    LINKER_UNKNOWN /* whatever it is; either form will do */
};

struct linker_words {
    enum linker_kind kind;
    struct argument_list arguments; /* without the linker, or what is run in front of it */
};

/* Response files are read as this kind of linker reads them, those that they name included; one that cannot
 * be read stays a word. False when memory ran out, or when they do not end (*is_endless). */
bool linker_words_read(const struct argument_list *command, struct linker_words *words, bool *is_endless);

#endif
