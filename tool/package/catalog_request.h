/* catalog_request.h - what a new catalog of a package is made from.
 * Takes: the package's files.  Gives: a catalog definition file (.cdf) for MakeCat, and the words for
 * Inf2Cat. Must not: make catalogs, or sign. */
#ifndef HVCIFIX_PACKAGE_CATALOG_REQUEST_H
#define HVCIFIX_PACKAGE_CATALOG_REQUEST_H

#include "base/text.h"
#include "package/inf.h"
#include "package/parcel_change.h"

/* The definition of entry number `catalog`: all files beside it and below that are left, but catalogs. Their
 * paths begin with `folder`, the package's own, with a backslash between names. */
void catalog_request(const struct parcel *parcel, const struct parcel_change *changes, size_t catalog,
                     const char *folder, struct text *text);

/* Identifiers of Inf2Cat's /os for platforms of an INF (enum inf_platform): "10_X64,10_X86". */
void catalog_request_systems(unsigned platforms, struct text *text);

#endif
