/* import_stack.h - where functions of Windows have their arguments on x86.
 * Takes: the name of an import.  Gives: numbers, or that they are not known.  Must not: guess. */
#ifndef HVCIFIX_CALLS_IMPORT_STACK_H
#define HVCIFIX_CALLS_IMPORT_STACK_H

#include <stdbool.h>

/* How many bytes of arguments a function takes off the stack on x86; -1: not known. */
int import_stack_nbytes(const char *name);

/* How many words of arguments it has on x86, those in registers included; -1: not known. */
int import_argument_count(const char *name);

/* On x86 its first two arguments are in registers. */
bool import_is_fastcall(const char *name);

#endif
