/* split.h - one text of many arguments, taken apart.
 * Takes: a command line or a response file in UTF-8.  Gives: arguments in an arena.  Must not: expand
 * anything. */
#ifndef HVCIFIX_CLI_SPLIT_H
#define HVCIFIX_CLI_SPLIT_H

#include "base/arena.h"

struct argument_list {
    struct arena *arena; /* borrowed */
    char **items;        /* with a NULL behind them */
    size_t count, capacity;
};

bool argument_add(struct argument_list *list, char *argument); /* false when memory ran out */

enum split_result { SPLIT_DONE, SPLIT_OPEN_QUOTE /* one that nothing closes */, SPLIT_NO_MEMORY };

/* Adds what `text` holds, as CommandLineToArgvW reads it; line ends and NULs separate as blanks do.
 *
 * Where no name holds a quote (Windows), a text whose arguments would hold one is read again in another way.
 * It comes from a build system that puts a folder into quotes, and folders end in a backslash there:
 * "C:\out\" is a folder, not the beginning of C:\out" and so on. In that reading a quote that follows
 * backslashes inside a quotation closes it where a blank or the end of the text is next. */
enum split_result split_arguments(struct argument_list *list, const char *text, size_t nbytes,
                                  bool names_hold_quotes);

/* The same as GCC, GNU ld and clang read their response files: single and double quotes, and a backslash
 * before any character takes its meaning away. */
enum split_result split_arguments_gnu(struct argument_list *list, const char *input, size_t nbytes);

#endif
