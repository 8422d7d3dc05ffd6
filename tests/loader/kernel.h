/* kernel.h - the functions and variables that the loader's kernel exports. */
#ifndef LOADER_KERNEL_H
#define LOADER_KERNEL_H

#include "text.h"

/* Where calls are written down, each with what does not depend on addresses. */
extern struct text *kernel_log;

/* Forgets all devices; to be called before a driver is started. */
void kernel_begin(void);

/* The address of what is exported by this name; 0 when there is no such thing. */
uintptr_t kernel_address(const char *name);

#endif
