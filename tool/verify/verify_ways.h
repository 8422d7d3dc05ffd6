/* verify_ways.h - how control comes to an instruction.
 * Takes: clean x86 code.  Gives: all direct branches in it, and the instructions that run right before
 * another. Must not: leave out a way, or say that it knows them all when a pointer may lead there too. */
#ifndef HVCIFIX_VERIFY_VERIFY_WAYS_H
#define HVCIFIX_VERIFY_VERIFY_WAYS_H

#include "verify/verify_registers.h"

enum { VERIFY_WAY_MAX_COUNT = 12 };

/* An instruction (offset in the section) that runs right before another, and how it gets there. */
struct verify_way {
    size_t from;
    bool is_taken; /* by a jump or branch; otherwise it falls through */
};

/* Collects the direct branches and calls of all clean functions of an x86 image (verify_gaps_mark() comes
 * first); without them, and on x64, where tables of RVAs lead to labels, no ways are known. False when memory
 * ran out. */
bool verify_branches_find(struct verify_code *code, struct arena *arena);

/* All ways into the instruction at `at`; 0 when one of them is not known. */
size_t verify_ways_into(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_way ways[VERIFY_WAY_MAX_COUNT]);

/* Branches lead to the instruction at `at`, and no call does: a label inside a function. On x64, where calls
 * are not collected: a conditional or short branch does. */
bool verify_is_inner_label(struct verify_code *code, const struct verify_code_section *section, size_t at);

/* A call leads to a place behind rva and not behind last_rva. True as well where calls are not collected. */
bool verify_is_called_between(const struct verify_code *code, uint32_t rva, uint32_t last_rva);

#endif
