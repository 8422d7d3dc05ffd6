/* refs_thunks.h - arrays of import thunks: lookup tables and IATs, of normal and of delay-load imports.
 * Takes: the RVA of an array.  Gives: its slots as references, its names as extents.
 * Must not: know descriptors. Private to tool/refs. */
#ifndef HVCIFIX_REFS_REFS_THUNKS_H
#define HVCIFIX_REFS_REFS_THUNKS_H

#include "refs/ref_window.h"

struct thunk_array {
    struct window window; /* from the first slot to the end of the file-backed bytes */
    uint32_t count;       /* slots in use, without the terminator */
    bool is_terminated;   /* a zero slot follows */
    bool is_shared;       /* counting stopped at a slot that another table has claimed */
};

/* Counts the slots at rva up to a zero slot, at most limit_count of them. False when rva has no bytes in the
 * file; *array is then empty. */
bool thunk_array_find(const struct refset *refs, uint32_t rva, uint32_t limit_count,
                      struct thunk_array *array);

/* An array of `count` slots, zero ones included (an IAT whose lookup table has that many names): fewer only
 * where the bytes end or another table begins. */
bool thunk_array_find_sized(const struct refset *refs, uint32_t rva, uint32_t count,
                            struct thunk_array *array);

/* The value of slot `index`, whose bytes must lie inside the array's window. */
uint64_t thunk_value(const struct refset *refs, const struct thunk_array *array, uint32_t index);

/* Bytes of the array, with its terminator. */
uint32_t thunk_array_nbytes(const struct refset *refs, const struct thunk_array *array);

/* Adds all slots as places that name an import: `encoding` says how (REF_RVA, or REF_VA in delay-load tables
 * of old compilers). Ordinals are constants. The names become EXTENT_IMPORT_NAME when `with_names`.
 * False when memory ran out. */
bool thunk_array_add(struct refset *refs, const struct thunk_array *array, enum ref_source source,
                     enum ref_encoding encoding, uint16_t detail, bool with_names);

/* Adds one slot; is_constant says that it holds the address of a bound import, or an ordinal. */
bool thunk_add(struct refset *refs, const struct thunk_array *array, uint32_t index, struct ref_spec spec);

/* True when a slot's value imports by number instead of by name. */
bool thunk_is_ordinal(const struct refset *refs, uint64_t value);

#endif
