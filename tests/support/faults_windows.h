/* faults_windows.h - what the two halves of hvcifix-faults.exe share; faults_windows.c says what it is.
 * Takes: calls.  Gives: what is to become of each.  Must not: be used by anything but faults*_windows.c. */
#ifndef HVCIFIX_TESTS_FAULTS_WINDOWS_H
#define HVCIFIX_TESTS_FAULTS_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <windows.h>

#define NAMES(X)                                                                                             \
    X(memory)                                                                                                \
    X(create)                                                                                                \
    X(read)                                                                                                  \
    X(write)                                                                                                 \
    X(flush)                                                                                                 \
    X(close)                                                                                                 \
    X(size)                                                                                                  \
    X(attributes)                                                                                            \
    X(copy)                                                                                                  \
    X(eof)                                                                                                   \
    X(time) X(security) X(move) X(delete) X(find) X(next) X(full) X(final) X(info) X(thread) X(fopen) X(print)

enum name {
#define X(name) NAME_##name,
    NAMES(X)
#undef X
        NAME_COUNT
};

enum { NOTHING = 0, ONE = -1, HALF = -2, END = -3, LINK = -4, LOST = -5, WRONG = -6 };

extern bool is_running;
extern volatile LONG slept_ms, live_blocks, live_handles;

/* Counts a call; says what is to become of it, and sets the last error when that is a code. */
int meet(enum name name);

/* The C library's own. */
void *__real_malloc(size_t nbytes);
void __real_free(void *block);
int __real_fflush(FILE *stream);

#endif
