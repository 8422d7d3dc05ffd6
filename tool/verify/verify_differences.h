/* verify_differences.h - finds every byte that differs and the field that holds it.
 * Takes: both images and what happened to the certificates.  Gives: the list of fields that differ and may.
 * Must not: explain them; that is for the part that knows the field. */
#ifndef HVCIFIX_VERIFY_VERIFY_DIFFERENCES_H
#define HVCIFIX_VERIFY_VERIFY_DIFFERENCES_H

#include "verify/verify_certificates.h"
#include "verify/verify_sections.h"

struct verify_changed_fields {
    uint32_t section_indices[VERIFY_MAX_CHANGED_SECTIONS]; /* whose Characteristics differ */
    size_t section_count;
    const char *signed_field; /* the first differing field that a signature covers; NULL without one */
};

/* Compares the files over their common length. A differing byte that is not in CheckSum, in
 * DllCharacteristics, in a section's Characteristics, or (when the certificates were dropped) in the security
 * directory entry is the counter-example. False when refuted. */
bool verify_differences(struct verify_case *judged, enum verify_certificates_fate fate,
                        struct verify_changed_fields *changed);

#endif
