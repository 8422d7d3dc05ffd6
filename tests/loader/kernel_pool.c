/* kernel_pool.c - memory that drivers allocate.
 * Takes: calls of the driver.  Gives: zeroed memory, never the same twice in one load.  Must not: be
 * executable. */
#include "kernel_pool.h"

#include "kernel.h"

#define POOL_NBYTES 0x1000000u
#define POOL_ALIGNMENT 16u

static uint8_t pool[POOL_NBYTES] __attribute__((aligned(4096)));
static size_t used_nbytes;

void kernel_pool_begin(void)
{
    memset(pool, 0, used_nbytes);
    used_nbytes = 0;
}

static void *allocate(const char *name, size_t nbytes)
{
    const size_t begin = used_nbytes;

    text_add(kernel_log, "call ");
    text_add(kernel_log, name);
    text_add(kernel_log, " ");
    text_add_hex(kernel_log, nbytes);
    text_add(kernel_log, "\n");
    if (nbytes > POOL_NBYTES - POOL_ALIGNMENT - begin)
        return NULL;
    used_nbytes = (begin + nbytes + POOL_ALIGNMENT - 1) & ~(size_t)(POOL_ALIGNMENT - 1);
    return pool + begin;
}

static STDCALL void *allocate_pool(uint32_t type, size_t nbytes)
{
    (void)type;
    return allocate("ExAllocatePool", nbytes);
}

static STDCALL void *allocate_tagged(uint32_t type, size_t nbytes, uint32_t tag)
{
    (void)type;
    (void)tag;
    return allocate("ExAllocatePoolWithTag", nbytes);
}

static STDCALL void *allocate_by_flags(uint64_t flags, size_t nbytes, uint32_t tag)
{
    (void)flags;
    (void)tag;
    return allocate("ExAllocatePool2", nbytes);
}

static STDCALL void free_pool(void *memory)
{
    (void)memory;
}

static STDCALL void free_tagged(void *memory, uint32_t tag)
{
    (void)memory;
    (void)tag;
}

/* Lists and mappings: the call is written down, but for its flags; a mapping is none. */
static STDCALL void begin_list(void *list, void *allocates, void *frees, uint32_t flags, size_t nbytes,
                               uint32_t tag, uint16_t depth)
{
    (void)list;
    (void)allocates;
    (void)frees;
    (void)flags;
    (void)tag;
    (void)depth;
    allocate("ExInitializeNPagedLookasideList", nbytes);
}

static STDCALL void *allocate_mdl(void *memory, uint32_t nbytes, uint8_t is_secondary, uint8_t charges,
                                  void *irp)
{
    (void)memory;
    (void)is_secondary;
    (void)charges;
    (void)irp;
    return allocate("IoAllocateMdl", nbytes);
}

static STDCALL void *map_mdl(void *mdl, uint8_t mode, uint32_t cache, void *base, uint32_t stops,
                             uint32_t priority)
{
    (void)mdl;
    (void)cache;
    (void)base;
    (void)stops;
    (void)priority;
    allocate("MmMapLockedPagesSpecifyCache", mode);
    return NULL;
}

uintptr_t kernel_pool_address(const char *name)
{
    if (text_is(name, "ExInitializeNPagedLookasideList"))
        return (uintptr_t)begin_list;
    if (text_is(name, "IoAllocateMdl"))
        return (uintptr_t)allocate_mdl;
    if (text_is(name, "MmMapLockedPagesSpecifyCache"))
        return (uintptr_t)map_mdl;
    if (text_is(name, "ExDeleteNPagedLookasideList") || text_is(name, "IoFreeMdl"))
        return (uintptr_t)free_pool;
    if (text_is(name, "ExAllocatePool"))
        return (uintptr_t)allocate_pool;
    if (text_is(name, "ExAllocatePoolWithTag") || text_is(name, "ExAllocatePoolWithQuotaTag"))
        return (uintptr_t)allocate_tagged;
    if (text_is(name, "ExAllocatePool2"))
        return (uintptr_t)allocate_by_flags;
    if (text_is(name, "ExFreePool"))
        return (uintptr_t)free_pool;
    return text_is(name, "ExFreePoolWithTag") ? (uintptr_t)free_tagged : 0;
}
