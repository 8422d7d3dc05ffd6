/* straddlers.h - the base relocations that cross a page boundary, and which of them belong together.
 * Takes: image, references of the base relocations and of the values under them.
 * Gives: sorted straddlers, and groups of them.  Must not: judge or word. */
#ifndef HVCIFIX_RULES_STRADDLERS_H
#define HVCIFIX_RULES_STRADDLERS_H

#include "rules/rule_parts.h"

/* One relocated field with bytes on both sides of a page boundary. */
struct straddler {
    uint32_t rva;
    uint16_t type;           /* BASERELOC_HIGHLOW or BASERELOC_DIR64 */
    uint32_t section_index;  /* UINT32_MAX when it lies in no section */
    const struct ref *value; /* what is stored there; NULL when the file does not hold it */
};

/* Straddlers [first, first + count) of the sorted list, which one finding reports. */
struct straddler_group {
    size_t first, count;
    /* The regular run of relocations that they are part of; stride_nbytes 0 when there is none. */
    uint32_t stride_nbytes;
    uint32_t run_begin_rva, run_end_rva; /* first relocated field, end of the last one */
    size_t run_count;                    /* relocations in the run */
};

struct straddlers {
    struct straddler *items; /* sorted by section index, then group, then RVA; unique */
    size_t count;
    struct straddler_group *groups;
    size_t group_count;
    size_t relocation_count; /* all HIGHLOW and DIR64 entries of the image */
};

/* False when memory ran out. Work: sorting the straddlers and one pass over the relocations. */
bool straddlers_find(const struct rule_input *input, struct straddlers *straddlers);

/* The reference is an entry of the relocation table, of a type that this rule judges: HIGHLOW or DIR64. */
bool relocation_is_judged(const struct ref *ref);

#endif
