/* verify_sections.h - section characteristics that may differ, and why.
 * Takes: the sections whose Characteristics changed.  Gives: explained differences, or a counter-example.
 * Must not: accept any bit but MEM_WRITE going away from an executable section, or MEM_EXECUTE alone from one
 * that has both. */
#ifndef HVCIFIX_VERIFY_VERIFY_SECTIONS_H
#define HVCIFIX_VERIFY_VERIFY_SECTIONS_H

#include "verify/verify_case.h"

/* At most this many sections may lose a right at once: the loader takes no image with more. */
enum { VERIFY_MAX_CHANGED_SECTIONS = 96 };

/* Shows for each listed section that losing one right is all that happened and that nothing needs it. On
 * machines that are not decoded losing MEM_WRITE is allowed for a discardable section named INIT, and marked
 * as assumed. False when refuted or out of memory. */
bool verify_sections(struct verify_case *judged, const uint32_t *section_indices, size_t count);

#endif
