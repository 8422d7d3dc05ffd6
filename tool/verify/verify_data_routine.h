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

bool verify_is_data_routine(struct verify_code *code, uint32_t rva);

#endif
