/* verify_follow.h - what becomes of an address that an instruction puts into a register.
 * Takes: the instruction, in a function that decodes cleanly.  Gives: the bytes that are accessed through it,
 * or that it could not be followed to all its ends.
 * Must not: say "followed" when the address is stored, passed on, compared, or added to. */
#ifndef HVCIFIX_VERIFY_VERIFY_FOLLOW_H
#define HVCIFIX_VERIFY_VERIFY_FOLLOW_H

#include "verify/verify_registers.h"

struct verify_followed {
    bool is_followed;  /* every use is an access [register + constant] */
    bool is_indexed;   /* some use is memory at the address plus another register */
    bool is_added;     /* some use adds to it, or compares it */
    bool writes;       /* some access writes */
    uint32_t count;    /* of accesses */
    int64_t low, high; /* bytes that are accessed: [low, high) relative to the address, when count != 0 */
};

/* Follows what the instruction at `at` writes into its first operand. */
struct verify_followed verify_follow(struct verify_code *code, const struct verify_code_section *section,
                                     size_t at);

#endif
