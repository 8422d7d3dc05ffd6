/* kernel_pool.h - memory that drivers allocate. */
#ifndef LOADER_KERNEL_POOL_H
#define LOADER_KERNEL_POOL_H

#include "machine.h"

/* Forgets all that was allocated. */
void kernel_pool_begin(void);

/* The address of a function on pool memory; 0 when the name is none. */
uintptr_t kernel_pool_address(const char *name);

#endif
