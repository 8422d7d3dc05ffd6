/* memory.c - the few functions on memory and text that every C program has.
 * Takes: ranges that are there.  Gives: what C says of these functions.  Must not: be compiled into calls of
 * themselves (the makefile says so to the compiler). */
#include "machine.h"

void *memcpy(void *to, const void *from, size_t nbytes)
{
    unsigned char *target = to;
    const unsigned char *source = from;

    for (size_t i = 0; i < nbytes; i++)
        target[i] = source[i];
    return to;
}

void *memset(void *to, int value, size_t nbytes)
{
    unsigned char *target = to;

    for (size_t i = 0; i < nbytes; i++)
        target[i] = (unsigned char)value;
    return to;
}

int memcmp(const void *one, const void *other, size_t nbytes)
{
    const unsigned char *a = one, *b = other;

    for (size_t i = 0; i < nbytes; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

bool text_is(const char *one, const char *other)
{
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

bool text_begins(const char *text, const char *beginning)
{
    while (*beginning && *text == *beginning) {
        text++;
        beginning++;
    }
    return *beginning == '\0';
}
