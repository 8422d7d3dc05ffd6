/* verify_type_info.h - run-time type information of Visual C++ on x64: records that lead to each other by
 * RVAs. Takes: the old image.  Gives: the records' bytes, marked as known. Must not: take for a record what
 * does not name itself. */
#ifndef HVCIFIX_VERIFY_VERIFY_TYPE_INFO_H
#define HVCIFIX_VERIFY_VERIFY_TYPE_INFO_H

#include "verify/verify_known.h"

/* Each record holds its own RVA; with it go the description of its class and of the bases. */
void verify_type_info_mark(const struct verify_known *known);

#endif
