/* verify_writes.h - proves that nothing needs a section writable once it is loaded.
 * Takes: the new image and the sections that lose MEM_WRITE.  Gives: a sentence that says what was examined,
 * or a counter-example.  Must not: follow control flow, or pass over a field it cannot explain.
 *
 * The method is enumeration. An address in a section can be stored in code or data only as a RIP-relative
 * field, an absolute field (named by a base relocation unless the image has none), or a displacement added to
 * the image base. All byte positions that could be one of these are looked at, whether they are reached by
 * code or not; each that leads into the section must be a read, a branch, or the address of code. Assumed,
 * and not shown: an address inside the section is not computed from one outside it (an array before or behind
 * it), from a number stored in another form, or from the image base that the system hands out. */
#ifndef HVCIFIX_VERIFY_VERIFY_WRITES_H
#define HVCIFIX_VERIFY_VERIFY_WRITES_H

#include "verify/verify_case.h"
#include "verify/verify_tables.h"

/* True when the verifier decodes the machine's instructions. */
bool verify_decodes_machine(const struct verify_image *image);

/* What is looked at in the new image is what the loader maps, and its code is that of its machine. False with
 * the counter-example set. */
bool verify_is_read_as_loaded(struct verify_case *judged);

/* Judges the sections (indices into the section table) together, or with `parts` (ascending; else NULL) only
 * these ranges of the one section. False when refuted or out of memory. With `tables_only` code is not looked
 * at: only that the loader writes nothing there. */
struct verify_unwritten {
    const char *summary; /* the sentence */
    bool is_assumed;     /* it rests on what kernel functions are documented to leave alone */
};
bool verify_nothing_writes(struct verify_case *judged, const uint32_t *section_indices, size_t count,
                           bool tables_only, const struct verify_range_list *parts,
                           struct verify_unwritten *found);

#endif
