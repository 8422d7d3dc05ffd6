/* runs.h - one load of one image, from mapping to unmapping. */
#ifndef LOADER_RUNS_H
#define LOADER_RUNS_H

#include "drive.h"
#include "image.h"

struct plan {
    const struct image *image;
    uintptr_t base;
    bool is_strict, is_whole_pages, is_mapped_only;
    enum way way;
    struct text *log;
};

/* Loads and drives. False when something is wrong, which `failure` says, or the log is too long. An image
 * that cannot be used in this way is loaded, but not driven. */
bool run(const struct plan *planned, bool *is_possible);

/* Two bases that are not the image's own: one far away (x64: beyond what 32 bits reach; x86: negative as a
 * number), one so near that the image overlaps its own place. An image that cannot be relocated has only its
 * own. */
#define BASE_COUNT 2
uintptr_t run_base(const struct image *image, unsigned number);

#endif
