/* heap_windows.c - heap.h on Windows, where large pages need a privilege that nobody has.
 * Takes: sizes.  Gives: memory.  Must not: keep anything between calls. */
#include "base/heap.h"

#include <stdlib.h>

size_t heap_good_nbytes(size_t nbytes)
{
    return nbytes;
}

void *heap_alloc(size_t nbytes)
{
    return malloc(nbytes);
}

void heap_release(void *block)
{
    free(block);
}
