/* verify_follow.h - what becomes of an address that an instruction puts into a register or a stack slot.
 * Takes: the instruction.  Gives: which bytes are accessed through it and where it goes, or that it could not
 * be followed to all its ends.
 * Must not: say "known" when something is done with the address that it does not understand. */
#ifndef HVCIFIX_VERIFY_VERIFY_FOLLOW_H
#define HVCIFIX_VERIFY_VERIFY_FOLLOW_H

#include "verify/verify_registers.h"

/* Bytes relative to the address: [low, high), none when count is 0. */
struct verify_reach {
    uint32_t count;
    int64_t low, high;
};

struct verify_followed {
    bool is_known;        /* all uses are the ones that are listed here */
    bool is_followed;     /* and every one is an access [register + constant] */
    bool is_indexed;      /* some use is memory at the address plus another register */
    bool is_added;        /* some use adds to it what is not constant */
    bool is_distance;     /* something is subtracted from it, or it is compared with something unknown */
    bool is_computed;     /* one of these three, or it is stepped: it may have been folded */
    bool is_stepped;      /* a constant is added to it in a loop, or a string instruction repeats with it */
    bool writes;          /* some access writes */
    bool writes_anywhere; /* one with an index whose bounds are not known */
    struct verify_reach accessed; /* until it is stepped */
    struct verify_reach certain;  /* of these, what is accessed before any branch or call */
    bool is_accessed_first;       /* on every way with a use, the first use is an access */
    /* Bytes whose address is stored, passed, returned, called, or compared with a pointer from memory. */
    struct verify_reach handed;
};

/* Follows what the instruction at `at` writes into its first operand, a register or memory on the stack: the
 * address, or the address and between 0 and `added_most` more. */
struct verify_followed verify_follow(struct verify_code *code, const struct verify_code_section *section,
                                     size_t at, uint32_t added_most);

/* Whether something is stored through that address on some way: in the function, or in one that is called
 * directly from there and gets it in a register or, on x86, on the stack; or by an import that is known to
 * write through its argument. Here `push` may be the first instruction too, and ways go on where another one
 * cannot be followed. */
bool verify_follow_writes(struct verify_code *code, const struct verify_code_section *section, size_t at);

#endif
