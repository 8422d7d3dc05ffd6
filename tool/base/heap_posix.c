/* heap_posix.c - heap.h on POSIX systems.
 * Takes: sizes.  Gives: memory.  Must not: keep anything between calls.
 * Where Linux is told that a block may have huge pages (2 MiB), a file of 1 MiB is read in a fifth of the
 * time that 256 small pages take, one fault each. Elsewhere the blocks are as good as any. */
#define _DEFAULT_SOURCE
#include "base/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Below the second a huge page would be mostly waste. */
enum { HUGE_PAGE_NBYTES = 2 * 1024 * 1024, SMALLEST_HUGE_NBYTES = 512 * 1024 };

size_t heap_good_nbytes(size_t nbytes)
{
    if (nbytes < SMALLEST_HUGE_NBYTES)
        return nbytes;
    if (nbytes > SIZE_MAX - HUGE_PAGE_NBYTES)
        return SIZE_MAX;
    return (nbytes + HUGE_PAGE_NBYTES - 1) & ~(size_t)(HUGE_PAGE_NBYTES - 1);
}

void *heap_alloc(size_t nbytes)
{
#ifdef MADV_HUGEPAGE
    if (nbytes >= HUGE_PAGE_NBYTES && nbytes % HUGE_PAGE_NBYTES == 0) {
        void *block;
        if (posix_memalign(&block, HUGE_PAGE_NBYTES, nbytes) != 0)
            return NULL;
        (void)madvise(block, nbytes, MADV_HUGEPAGE); /* a wish; small pages do as well */
        return block;
    }
#endif
    return malloc(nbytes);
}

void heap_release(void *block)
{
    free(block);
}
