/* literal_bytes.h - string literals in sections that are not written, by file offset. Private to tool/plan.
 * Takes: image, the bytes that are something else.  Gives: which bytes are text.  Must not: judge. */
#ifndef HVCIFIX_PLAN_LITERAL_BYTES_H
#define HVCIFIX_PLAN_LITERAL_BYTES_H

#include "image/image.h"
#include "refs/site_set.h"

struct literal_bytes {
    struct site_set bytes;  /* of literals, with the zeros that end them and fill up to the next thing */
    struct site_set begins; /* their first bytes */
};

/* excluded: file offsets of code and tables. False when memory ran out. Linear. */
bool literal_bytes_find(struct literal_bytes *all, const struct image *image, struct arena *arena,
                        const struct site_set *excluded);

#endif
