/* foreign.h - drivers other than the fixtures, which want more of a kernel than there is here: they are
 * followed as far as they come. What the kernel does not have answers 0, and a fault of the driver's own ends
 * only the call. */
#ifndef LOADER_FOREIGN_H
#define LOADER_FOREIGN_H

#include "machine.h"

extern bool foreign_is_on;

/* From now on drivers are foreign. `sizes` (x86; may be empty) says what stdcall functions take off the
 * stack: lines of a name, a blank, and a number of bytes. Borrowed; ends with a zero. */
void foreign_begin(const char *sizes);

/* How many bytes of arguments a function takes off the stack; 0 where nothing is known of it. */
uint32_t foreign_stack_nbytes(const char *name);

/* What the next function that the kernel does not have answers: first success, then failure, so that loops
 * end. */
uint32_t foreign_answer(void);

/* Ends the call with a line in the log, if drivers are foreign; else does nothing. */
void foreign_end_call(const char *what, uint32_t code);

/* Calls a function of which a foreign driver's own fault may be the end. */
void foreign_attempt(void (*function)(void));

#endif
