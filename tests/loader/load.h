/* load.h - an image in memory, as the kernel would map it. */
#ifndef LOADER_LOAD_H
#define LOADER_LOAD_H

#include "image.h"

struct load {
    const struct image *image;
    uint8_t *memory;
    uintptr_t base;
    bool is_strict;      /* no wish of the image for pages that are writable and executable is granted */
    bool is_whole_pages; /* no relocation may straddle a page boundary */
};

/* The one image that is loaded. */
extern struct load loaded;

bool is_in_image(uintptr_t address);

/* Maps the image, relocates and binds it, fills in what the kernel fills in, and gives each page its rights.
 * Gives up with a reason. */
void load_image(const struct image *image, uintptr_t base, bool is_strict, bool is_whole_pages);

/* Takes away what is not needed after the entry point has returned, in a strict load: sections that are
 * discardable or named INIT. */
void load_discard(void);

void load_remove(void);

/* The address of what is exported by this name; NULL when there is none. */
void *load_exported(const char *name);

/* Calls the function with each exported name and its address; forwarders are left out. */
void load_each_export(void (*each)(const char *name, void *address));

/* Bytes of the image; gives up where they are not inside it. `what` says who asks. */
uint8_t *load_at(uint64_t rva, size_t nbytes, const char *what);

#endif
