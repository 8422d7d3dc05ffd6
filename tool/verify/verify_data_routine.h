/* verify_data_routine.h - does a routine begin at this RVA, in a section that is not marked as code?
 * Takes: struct verify_code and an RVA.  Gives: yes or no, by a fixed criterion.
 * Must not: say yes for text, or for numbers that happen to decode for a few bytes.
 *
 * Low-aligned images run everything, and programmers put routines into sections of their own without saying
 * that they are code. The bytes must decode as compiler-made instructions up to a return or jump, three to
 * 512 of them, none of them in a typed table, every direct branch leading into code or the same section, and
 * the return removing whole words of the stack: GUIDs, of which traced drivers hold dozens, decode to another
 * one now and then.
 */
#ifndef HVCIFIX_VERIFY_VERIFY_DATA_ROUTINE_H
#define HVCIFIX_VERIFY_VERIFY_DATA_ROUTINE_H

#include "verify/verify_code.h"

/* How many bytes it has; 0 when none begins there. */
uint32_t verify_data_routine_nbytes(struct verify_code *code, uint32_t rva);

/* The field is the displacement, or an immediate, of an instruction of the routine that begins at rva. */
bool verify_is_routine_operand(const struct verify_code *code, uint32_t rva, uint32_t field_rva,
                               uint32_t field_nbytes);

#endif
