/* nx_stub.h - the few instructions that add the no-execute flag to a call, and the functions that have one.
 * Takes: a function of Windows by name, or bytes.  Gives: the stub's code, or which stub the bytes are.
 * Must not: look at images.
 *
 * A stub changes one argument, where the calling convention hands it over, and jumps on through the import
 * slot. It touches nothing but that argument and the arithmetic flags, which no call hands over; it moves
 * neither the stack pointer nor a return address, so that it needs no unwind data.
 * Source: Windows driver documentation, "NX pool types", "MmMapLockedPagesSpecifyCache",
 * "ExInitializeNPagedLookasideList"; all of these flags exist from Windows 8 on. */
#ifndef HVCIFIX_CALLS_NX_STUB_H
#define HVCIFIX_CALLS_NX_STUB_H

#include "base/finding.h"

enum nx_kind {
    NX_POOL_TYPE,   /* POOL_TYPE: what is not paged gets POOL_NX_ALLOCATION, 0x200 */
    NX_POOL_FLAGS,  /* flags of a lookaside list of nonpaged pool: POOL_NX_ALLOCATION */
    NX_MDL_PRIORITY /* priority of a mapping: for kernel mode MdlMappingNoExecute, 0x40000000 */
};

struct nx_api {
    const char *name, *module;
    enum finding_code rule;
    enum nx_kind kind;
    uint8_t argument; /* the one that is changed, from 0 */
};

enum { NX_STUB_MAX_NBYTES = 32, NX_JUMP_NBYTES = 6, NX_JUMP_FIELD_AT = 2 };

/* NULL when the function has no no-execute form that is the same call with a flag. Modules are compared
 * without regard to case. */
const struct nx_api *nx_api_find(const char *module, const char *name);

/* The stub for the function without the displacement of its jump, which stays zero and is its last four
 * bytes. Gives its length. */
size_t nx_stub_code(const struct nx_api *api, bool is_64, uint8_t code[NX_STUB_MAX_NBYTES]);

/* Do the bytes begin with a stub of some function? *jump_at: where its jump begins; *api is one of those that
 * have this stub, which only the import slot can tell apart. */
bool nx_stub_is_at(const uint8_t *bytes, size_t nbytes, bool is_64, size_t *jump_at,
                   const struct nx_api **api);

/* Do both change the same argument in the same way? */
bool nx_stub_is_same(const struct nx_api *a, const struct nx_api *b);

#endif
