/* operation_raw.h - what operation.c makes of the decoder library's words, for operation_shapes.c.
 * Takes: a decoded instruction.  Gives: struct operation.  Must not: be included by others: they need no
 * library. */
#ifndef HVCIFIX_CALLS_OPERATION_RAW_H
#define HVCIFIX_CALLS_OPERATION_RAW_H

#include "calls/operation.h"

#include <Zydis/Zydis.h>

void operation_from_raw(bool is_64, const ZydisDecodedInstruction *raw, const ZydisDecodedOperand *operands,
                        uint32_t rva, struct operation *operation);

/* Where a direct branch or call leads, and what a return takes along: the operand says it. */
void operation_set_target(struct operation *operation);

#endif
