/* flush_posix.h - a flush to the disk that goes on while the file is read, on POSIX systems.
 * Takes: an open file that nobody writes to any more.  Gives: whether the disk has it.
 * Must not: be used outside replace_posix.c and temporary_posix.c. */
#ifndef HVCIFIX_IO_FLUSH_POSIX_H
#define HVCIFIX_IO_FLUSH_POSIX_H

#include <stdbool.h>

/* Asks the system to begin; does not wait. */
void flush_begin(int descriptor);

/* Waits until the disk has the file. False with errno set when it does not. */
bool flush_end(int descriptor);

#endif
