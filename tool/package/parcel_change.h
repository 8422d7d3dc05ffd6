/* parcel_change.h - what becomes of each file of a package, and whether a new package is just that.
 * Takes: the files of both packages.  Gives: an answer.  Must not: know how the new one was written. */
#ifndef HVCIFIX_PACKAGE_PARCEL_CHANGE_H
#define HVCIFIX_PACKAGE_PARCEL_CHANGE_H

#include "io/digest.h"
#include "package/parcel.h"

enum parcel_fate { PARCEL_KEEP, PARCEL_REPLACE, PARCEL_LEAVE_OUT };

/* Zeroed it is PARCEL_KEEP. */
struct parcel_change {
    enum parcel_fate fate;
    struct span
        bytes; /* PARCEL_REPLACE: what the file is to hold; not there where it has been written already */
    uint64_t nbytes; /* and its size and SHA-256 */
    uint8_t digest[DIGEST_SHA256_NBYTES];
};

/* Sets fate, size and digest; the bytes are borrowed when `keeps_bytes`. False when no digest can be
 * computed. */
bool parcel_change_to(struct parcel_change *change, struct span bytes, bool keeps_bytes);

/* Reads both packages from their begin to their end: names, order, times, permissions and bytes have to be
 * the same but for what changes[] says of each entry of `old`. Between an archive and a folder the order,
 * permissions and what folders there are do not count. False with *error set: HVCI9007, at the first place
 * that differs. */
bool parcel_is_changed_so(const struct parcel *old, const struct parcel_change *changes,
                          const struct parcel *new, struct arena *arena, struct finding *error);

#endif
