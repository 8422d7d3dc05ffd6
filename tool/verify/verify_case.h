/* verify_case.h - one pair under judgement: the two images, the verdict as it grows, the work counted.
 * Takes: what the parts of the verifier find.  Gives: the verdict; the first counter-example stays.
 * Must not: decide by itself. */
#ifndef HVCIFIX_VERIFY_VERIFY_CASE_H
#define HVCIFIX_VERIFY_VERIFY_CASE_H

#include "verify/verify.h"
#include "verify/verify_image.h"

struct verify_case {
    struct arena *arena;
    struct verify_verdict *verdict;
    struct verify_image old_image, new_image;
    size_t difference_capacity;
};

/* Where a counter-example lies: in which of the two files, and where there. */
struct verify_spot {
    bool in_old;
    uint64_t foff; /* or UINT64_MAX */
    uint32_t rva;  /* or UINT32_MAX */
};

/* A spot in the new image, given by file offset (the RVA follows) or by RVA (the offset follows). */
struct verify_spot verify_spot_foff(const struct verify_case *judged, uint64_t foff);
struct verify_spot verify_spot_rva(const struct verify_case *judged, uint32_t rva);

/* Sets the counter-example unless there is one already. Always false, so that it can end a chain of checks.
 */
bool verify_refute(struct verify_case *judged, struct verify_spot spot, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);

/* Appends an explained difference. False when memory ran out. */
bool verify_explain(struct verify_case *judged, const struct verify_difference *difference);

#endif
