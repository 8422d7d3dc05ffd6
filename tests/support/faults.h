/* faults.h - what the parts of the fault library share; faults.c says what it is.
 * Takes: calls.  Gives: what is to become of each.  Must not: be used by anything but faults*.c. */
#ifndef HVCIFIX_TESTS_FAULTS_H
#define HVCIFIX_TESTS_FAULTS_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define FAULT_NAMES(X)                                                                                       \
    X(memory)                                                                                                \
    X(open)                                                                                                  \
    X(read)                                                                                                  \
    X(write)                                                                                                 \
    X(close)                                                                                                 \
    X(fstat)                                                                                                 \
    X(stat)                                                                                                  \
    X(lstat)                                                                                                 \
    X(mmap)                                                                                                  \
    X(fsync)                                                                                                 \
    X(fchmod)                                                                                                \
    X(rename)                                                                                                \
    X(unlink)                                                                                                \
    X(realpath)                                                                                              \
    X(opendir)                                                                                               \
    X(readdir)                                                                                               \
    X(fopen)                                                                                                 \
    X(print)                                                                                                 \
    X(thread)                                                                                                \
    X(linkat)                                                                                                \
    X(access)                                                                                                \
    X(fchown)                                                                                                \
    X(mkdir)                                                                                                 \
    X(rmdir)                                                                                                 \
    X(chmod)                                                                                                 \
    X(utimensat)

enum fault_name {
#define X(name) FAULT_##name,
    FAULT_NAMES(X)
#undef X
        FAULT_NAME_COUNT
};

enum fault_what { FAULT_NOTHING, FAULT_ERROR, FAULT_ONE, FAULT_HALF, FAULT_END, FAULT_LATE, FAULT_WRONG };

/* Counts a call; says what is to become of it, and sets errno when that is FAULT_ERROR. */
enum fault_what fault_meet(enum fault_name name);

/* Is main() running? */
bool fault_is_main(void);

/* How many of nbytes bytes a read or write may take. */
size_t fault_cut(enum fault_what what, size_t nbytes);

/* Changes the last byte that was read, when that is wanted. */
void fault_spoil(enum fault_what what, void *buffer, long nbytes);

/* The result of a call that was made, or -1 and EIO when it is to be told late. */
int fault_late(enum fault_what what, int result);

/* *pointer = the C library's function of this name. */
void fault_find(const char *name, void *pointer);

void fault_quit(const char *message);

/* Blocks of memory that are not given back. */
long fault_live_blocks(void);

/* A stream whose writes are met as FAULT_print. */
FILE *fault_stream(int descriptor);

/* Inside a function that stands before the C library's: `real`, which is that one. */
#define FAULT_REAL(result, name, ...)                                                                        \
    static result (*real)(__VA_ARGS__);                                                                      \
    if (!real)                                                                                               \
    fault_find(#name, &real)

#endif
