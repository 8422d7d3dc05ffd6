/* verify_repairs_state.h - what is known about the repair of straddling relocations.
 * Takes: the parts that verify_stub*.c and verify_copies.c find.  Gives: one struct inside struct
 * verify_moves. Must not: hold what the rewriter says. */
#ifndef HVCIFIX_VERIFY_VERIFY_REPAIRS_STATE_H
#define HVCIFIX_VERIFY_VERIFY_REPAIRS_STATE_H

#include "verify/verify_tables.h"

enum { STUB_MAX_COUNT = 2 }; /* the entry point and DllInitialize */

struct verify_stub {
    uint32_t rva;          /* of the new image */
    uint32_t function_rva; /* of the old image: what the stub goes on to */
    const char *what;      /* which entry point leads to it */
};

/* One entry of the stub's table. */
struct verify_applied {
    uint32_t rva;       /* of the field, new image */
    uint32_t entry_rva; /* of the entry, new image */
    uint32_t old_rva;   /* of the field, old image; known once the relocations are */
};

/* An x86 instruction that gave its place to a jump. */
struct verify_copy {
    uint32_t rva, new_rva; /* where it was, and where that place is in the new image */
    uint32_t copy_rva;     /* where its copy is in the new image */
    uint8_t nbytes;
    bool is_call, goes_on; /* goes_on: a jump back follows */
};

struct verify_repairs {
    struct verify_stub stubs[STUB_MAX_COUNT];
    size_t stub_count;
    uint32_t initialize_entry_rva; /* the export table's entry of DllInitialize, old image; 0 without one */
    uint32_t flag_rva, table_rva;
    struct verify_applied *applied; /* ascending RVA of the field */
    size_t applied_count, applied_capacity;
    struct verify_copy *copies; /* ascending RVA */
    size_t copy_count, copy_capacity;
    uint32_t *added; /* relocations that the repair itself needs, new image */
    size_t added_count, added_capacity;
    struct verify_range_list made; /* new image */
    size_t shift_count;
    uint32_t shift_align_nbytes; /* what all shifts are multiples of */
};

#endif
