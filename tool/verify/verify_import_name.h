/* verify_import_name.h - what the loader puts into an import slot, by name.
 * Takes: an image and a slot's RVA.  Gives: the name, if the module is the kernel.
 * Must not: guess by position outside the descriptors.  Source: PE format, .idata. */
#ifndef HVCIFIX_VERIFY_VERIFY_IMPORT_NAME_H
#define HVCIFIX_VERIFY_VERIFY_IMPORT_NAME_H

#include "verify/verify_image.h"

enum { VERIFY_IMPORT_NAME_NBYTES = 64 };

/* The slot at slot_rva belongs to an import by name from ntoskrnl.exe. False when it does not, or when the
 * name is longer than any that is asked for. Adds what was looked at to *step_count. */
bool verify_kernel_import_name(const struct verify_image *image, uint64_t slot_rva,
                               char name[VERIFY_IMPORT_NAME_NBYTES], uint64_t *step_count);

/* The same for another module; its name in lower case, shorter than VERIFY_IMPORT_NAME_NBYTES. */
bool verify_import_name(const struct verify_image *image, uint64_t slot_rva, const char *module,
                        char name[VERIFY_IMPORT_NAME_NBYTES], uint64_t *step_count);

#endif
