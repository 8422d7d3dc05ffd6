/* faults_memory.c - memory that is refused, and counted.
 * Takes: malloc() and its kin in the whole program.  Gives: memory or NULL.
 * Must not: refuse anything before main(). */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library names them with
 * underscores. */
#include "faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_long live_blocks;

long fault_live_blocks(void)
{
    return live_blocks;
}

/* dlsym() itself may ask for memory before the real functions are known. */
static _Alignas(16) char early[4096];
static size_t early_nbytes;

static void *from_early(size_t nbytes)
{
    nbytes = (nbytes + 15) & ~(size_t)15;
    if (nbytes > sizeof early - early_nbytes)
        fault_quit("faults: too much memory was asked for before the start\n");
    early_nbytes += nbytes;
    return early + early_nbytes - nbytes;
}

static bool is_early(const void *block)
{
    return (uintptr_t)block >= (uintptr_t)early && (uintptr_t)block < (uintptr_t)(early + sizeof early);
}

static void *counted(void *block)
{
    live_blocks += block != NULL;
    return block;
}

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} memory;

static bool memory_is_known(void)
{
    static bool is_finding;
    if (is_finding)
        return false;
    if (!memory.free) {
        is_finding = true;
        fault_find("malloc", &memory.malloc);
        fault_find("calloc", &memory.calloc);
        fault_find("realloc", &memory.realloc);
        fault_find("free", &memory.free);
        is_finding = false;
    }
    return true;
}

void *malloc(size_t nbytes)
{
    if (!memory_is_known())
        return from_early(nbytes);
    return fault_meet(FAULT_memory) == FAULT_NOTHING ? counted(memory.malloc(nbytes)) : NULL;
}

void *calloc(size_t count, size_t nbytes)
{
    if (!memory_is_known())
        return from_early(count * nbytes);
    return fault_meet(FAULT_memory) == FAULT_NOTHING ? counted(memory.calloc(count, nbytes)) : NULL;
}

void *realloc(void *block, size_t nbytes)
{
    if (!memory_is_known() || is_early(block))
        fault_quit("faults: memory was reallocated before the start\n");
    if (fault_meet(FAULT_memory) != FAULT_NOTHING)
        return NULL;
    void *larger = memory.realloc(block, nbytes);
    live_blocks += (block == NULL && larger != NULL) - (block != NULL && nbytes == 0);
    return larger;
}

int posix_memalign(void **block, size_t alignment, size_t nbytes)
{
    FAULT_REAL(int, posix_memalign, void **, size_t, size_t);
    if (fault_meet(FAULT_memory) != FAULT_NOTHING)
        return ENOMEM;
    int failed = real(block, alignment, nbytes);
    live_blocks += failed == 0;
    return failed;
}

void free(void *block)
{
    if (!block || is_early(block))
        return;
    live_blocks--;
    if (memory_is_known())
        memory.free(block);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
