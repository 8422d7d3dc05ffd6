/* child.h - another program that is run in our place, or for us: same folder, same environment, same streams.
 * Takes: its words.  Gives: how it ended.  Must not: start a shell, or change a word on the way.
 * child_posix.c and child_windows.c implement it. */
#ifndef HVCIFIX_CLI_CHILD_H
#define HVCIFIX_CLI_CHILD_H

#include "cli/split.h"

/* The words behind -- as the other program will read them: `words`, which were taken from our command line
 * for ourselves, or a better reading of it. False when memory ran out. */
bool child_words(const char *const *words, size_t count, struct argument_list *list);

enum child_end {
    CHILD_ENDED,      /* with *exit_code */
    CHILD_WAS_KILLED, /* by the signal *exit_code */
    CHILD_NOT_STARTED /* *reason says why, without a full stop */
};

/* Runs list->items[0], looked up as the system looks up programs, and waits for it. What asks us to end
 * meanwhile asks the child instead. Where the words stand behind -- on our own command line on Windows, the
 * child gets that part of it character for character. is_aside: what it prints goes to standard error,
 * because standard output has a report of ours. */
enum child_end child_run(const struct argument_list *list, bool is_aside, int *exit_code,
                         const char **reason);

/* Ends this program as the child was ended. Returns the exit code to end with when that does not work. */
int child_end_alike(int signal_number);

/* A variable of the environment; NULL when it is not set or memory ran out. */
const char *child_environment(const char *name, struct arena *arena);

#endif
