/* verify_flags.h - DllCharacteristics: which flags may appear in the new image, and when they are true.
 * Takes: both images.  Gives: an explained difference, or a counter-example.
 * Must not: let a flag go. */
#ifndef HVCIFIX_VERIFY_VERIFY_FLAGS_H
#define HVCIFIX_VERIFY_VERIFY_FLAGS_H

#include "verify/verify_case.h"

/* The field in the new image. */
static inline uint64_t verify_flags_foff(const struct verify_image *image)
{
    return image->opt_foff + OPT_DLL_CHARACTERISTICS;
}

/* True when nothing differs, or exactly NX_COMPAT, DYNAMIC_BASE and HIGH_ENTROPY_VA came, each where the
 * image lives up to it. */
bool verify_flags(struct verify_case *judged);

#endif
