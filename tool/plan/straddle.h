/* straddle.h - the repair of base relocations that cross a page boundary (HVCI2101).
 * Takes: nothing by itself; tool/plan fills it, once the pieces have their new places.
 * Gives: which fields leave the base relocation table, and what section .hvcode holds.
 * Must not: hold bytes or decide.
 *
 * An x86 instruction with such an operand is replaced by a jump to a copy whose operand does not straddle. A
 * field in writable data leaves the table, and a stub in front of the entry point relocates it
 * (start_stub.h). .hvcode holds, each from a 16-byte boundary on and with CC between: the stubs, the table of
 * fields, the guard function table with the stubs in it, the copies by ascending address of the original. */
#ifndef HVCIFIX_PLAN_STRADDLE_H
#define HVCIFIX_PLAN_STRADDLE_H

#include "plan/start_stub.h"

#include <stddef.h>

struct arena;
struct refset;

#define STRADDLE_CODE_SECTION ".hvcode"
#define STRADDLE_FLAG_SECTION ".hvdata"
#define STRADDLE_SHIFTED_SECTION ".hvshift"

enum { STRADDLE_ALIGN_NBYTES = 16, STRADDLE_FLAG_NBYTES = 4, MOST_START_STUBS = 2, JUMP_NBYTES = 5 };

/* An instruction that is executed from a copy. Offsets `at` are from the begin of .hvcode. */
struct code_copy {
    uint32_t old_rva, at;
    uint8_t nbytes;  /* of the instruction */
    bool comes_back; /* a jump to what follows the original stands behind the copy */
};

struct start_stub {
    uint32_t at;
    uint32_t function_old_rva;
    uint32_t site_foff; /* of the RVA that leads to the stub instead of the function */
    const char *what;   /* "the entry point", "DllInitialize" */
};

/* The guard function table, written anew with the stubs behind its old entries; stride_nbytes 0: none. */
struct guard_copy {
    uint32_t old_rva, count, stride_nbytes;
    uint32_t at;
    uint32_t pointer_foff, count_foff; /* fields of the old load configuration */
};

struct straddle_repair {
    uint32_t *applied_rvas; /* old RVAs of the fields that the stub relocates; ascending */
    size_t applied_count;
    struct code_copy *copies; /* by ascending old_rva, apart from each other */
    size_t copy_count;
    struct start_stub stubs[MOST_START_STUBS];
    size_t shifted_count; /* sections that are shifted: pieces of their own kind */
    unsigned stub_count;  /* 0 when no field is applied so */
    uint32_t table_at;
    struct guard_copy guard;
    uint32_t code_nbytes;

    /* Known when the sections are. Until then code_rva is a page behind everything else. */
    uint32_t code_rva, flag_rva;
};

/* Does the stub relocate the field at old_rva? */
bool straddle_is_applied(const struct straddle_repair *repair, uint32_t old_rva);

/* The copy of the instruction that holds old_rva, or NULL. */
const struct code_copy *straddle_copy_at(const struct straddle_repair *repair, uint32_t old_rva);

/* Base relocations that the new code needs for itself: calls take() with each RVA. */
void straddle_own_relocations(const struct straddle_repair *repair, bool is_64,
                              void (*take)(void *context, uint32_t new_rva), void *context);

#endif
