/* bind.h - the imports of the loaded image. */
#ifndef LOADER_BIND_H
#define LOADER_BIND_H

#include "machine.h"

/* Writes the address of what is imported into every slot of the import address table. What the loader's
 * kernel (kernel.h) does not have gets the address of zeros, which cannot be called
 * without a fault. */
void bind_imports(void);

/* The name of the import that such an address stands for; NULL for other addresses. */
const char *bind_unknown_name(uintptr_t address);

#endif
