/* verify_bounded.h - the bytes that an indexed operand can reach, when the code before it bounds the index.
 * Takes: an x86 instruction with [registers + displacement] in a clean function.  Gives: the first and the
 * last byte relative to the displacement.
 * Must not: believe a bound that code can come past. */
#ifndef HVCIFIX_VERIFY_VERIFY_BOUNDED_H
#define HVCIFIX_VERIFY_VERIFY_BOUNDED_H

#include "verify/verify_registers.h"

/* What the instruction adds to its displacement or immediate address, at most: the registers of its operand
 * in memory, or of an addition, are bounded on every way to it (masked, widened from a byte, compared and
 * branched, ...). *nbytes is the size of what it accesses there; 0 for one that only computes. */
bool verify_added_bound(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        uint32_t *most, uint32_t *nbytes);

/* True with [*low, *high): lea x, [index - C]; cmp x, N; ja elsewhere; the operand. */
bool verify_bounded_index(struct verify_code *code, const struct verify_code_section *section, size_t at,
                          int64_t *low, int64_t *high);

#endif
