/* heap.h - blocks of memory from the system.
 * Takes: sizes.  Gives: memory that is not set, or NULL.  Must not: keep anything between calls.
 * heap_posix.c and heap_windows.c implement it. */
#ifndef HVCIFIX_BASE_HEAP_H
#define HVCIFIX_BASE_HEAP_H

#include <stddef.h>

/* The size to ask for instead of nbytes, at least as large: large blocks are whole huge pages where the
 * system has such, so that it hands out one page instead of 512. SIZE_MAX stands for "too large". */
size_t heap_good_nbytes(size_t nbytes);

void *heap_alloc(size_t nbytes);
void heap_release(void *block);

#endif
