/* bulk.h - hostile variants of small images by the hundred thousand, not at random but field by field.
 * Takes: seeds.  Gives: variants (bulk_variants.c), and for each what must not be overlooked (bulk_oracle.c).
 * Must not: use any reading of the tool; the format is written down again, from its specification. */
#ifndef HVCIFIX_TESTS_FUZZ_BULK_H
#define HVCIFIX_TESTS_FUZZ_BULK_H

#include "base/pe_format.h"
#include "base/span.h"

/* Why an image cannot be called clean, as a short text; NULL when nothing of the sort is seen, which does not
 * say that it is clean. Looks at: headers and section table inside the file, the layout that Windows loads
 * (but for subsystems with other loaders), writable and executable sections, sections below page alignment,
 * the import address table and other slots in executable sections, relocations that straddle a page or
 * cannot be read, tables outside the file. */
const char *bulk_objection(const uint8_t *bytes, size_t nbytes);

/* One variant: what it is, and its bytes, which are the callee's to change and valid during the call. */
struct bulk_variant {
    const char *kind; /* "cut", "byte", "half", "word", "long", "pair" */
    uint64_t first;   /* what was changed: file offset, or the size to which it was cut */
    uint64_t second;  /* the other file offset of a pair */
    uint8_t *bytes;   /* in a block of exactly nbytes */
    size_t nbytes;
};

typedef void bulk_visit(void *context, const struct bulk_variant *variant);

/* Each gives every `step`th variant of its kind and returns how many that were. */
size_t bulk_cuts(const uint8_t *seed, size_t nbytes, size_t step, bulk_visit *visit, void *context);
size_t bulk_fields(const uint8_t *seed, size_t nbytes, size_t step, bulk_visit *visit, void *context);

/* `count` pairs of fields, both at extremes, spread evenly over all pairs that there are. */
size_t bulk_pairs(const uint8_t *seed, size_t nbytes, size_t count, bulk_visit *visit, void *context);

#endif
