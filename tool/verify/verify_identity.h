/* verify_identity.h - accepts that an image names a PDB of another identity than before, when that was asked
 * for. Takes: a pair.  Gives: the verdict on the pair but for the GUID of the CodeView record. Must not: let
 * another byte than the GUID's sixteen pass, or a record that anything else could read. */
#ifndef HVCIFIX_VERIFY_VERIFY_IDENTITY_H
#define HVCIFIX_VERIFY_VERIFY_IDENTITY_H

#include "verify/verify_image.h"

enum { VERIFY_GUID_NBYTES = 16 };

/* The one CodeView record of kind RSDS that the debug directory of an image names. */
struct verify_record {
    uint32_t rva;
    uint64_t foff;
    const uint8_t *guid;
    uint32_t age;
};

/* False when there is none, more than one, or one that does not lie in the raw data of a section. */
bool verify_record_find(const struct verify_image *image, struct verify_record *record);

#endif
