/* verify_bounded.h - the bytes that an indexed operand can reach, when a comparison before it bounds the
 * index. Takes: an instruction with [index * scale + displacement] in a clean function.  Gives: the first and
 * the last byte relative to the displacement. Must not: believe a comparison that code can come past. */
#ifndef HVCIFIX_VERIFY_VERIFY_BOUNDED_H
#define HVCIFIX_VERIFY_VERIFY_BOUNDED_H

#include "verify/verify_registers.h"

/* True with [*low, *high): lea x, [index - C]; cmp x, N; ja elsewhere; the operand. */
bool verify_bounded_index(struct verify_code *code, const struct verify_code_section *section, size_t at,
                          int64_t *low, int64_t *high);

#endif
