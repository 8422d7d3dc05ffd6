/* ref_window.c - finding ranges of the image for the collectors.
 * Takes: RVAs and file offsets.  Gives: windows.  Must not: reach outside the file. */
#include "refs/ref_window.h"

bool window_from_rva(const struct image *image, uint32_t rva, struct window *window)
{
    *window = (struct window){.rva = NO_RVA};
    struct span run = image_run_at_rva(image, rva);
    if (run.nbytes == 0)
        return false;
    *window = (struct window){run, rva, (uint64_t)(run.bytes - image->file.bytes)};
    return true;
}

bool window_at_rva(const struct image *image, uint32_t rva, uint64_t nbytes, struct window *window)
{
    if (!window_from_rva(image, rva, window))
        return false;
    if (nbytes > window->bytes.nbytes) {
        *window = (struct window){.rva = NO_RVA};
        return false;
    }
    window->bytes.nbytes = (size_t)nbytes;
    return true;
}

bool window_at_foff(const struct image *image, uint64_t foff, uint64_t nbytes, struct window *window)
{
    *window = (struct window){.rva = NO_RVA, .foff = foff};
    if (!span_part(image->file, foff, nbytes, &window->bytes))
        return false;
    uint32_t rva, mapped_foff;
    if (nbytes != 0 && nbytes <= UINT32_MAX && image_foff_to_rva(image, foff, &rva) &&
        image_rva_to_foff(image, rva, (uint32_t)nbytes, &mapped_foff) && mapped_foff == foff)
        window->rva = rva;
    return true;
}

struct window window_part(const struct window *window, uint64_t offset, uint64_t nbytes)
{
    struct window part = {.rva = NO_RVA, .foff = window->foff + offset};
    if (span_part(window->bytes, offset, nbytes, &part.bytes) && window->rva != NO_RVA)
        part.rva = window->rva + (uint32_t)offset;
    return part;
}
