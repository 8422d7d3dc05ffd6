/* verify_function_flow.h - are instructions that look like data instructions all the same?
 * Takes: a function whose bytes are one instruction after the other.  Gives: yes, or no.
 * Must not: take bytes behind the last instruction of a function for instructions. */
#ifndef HVCIFIX_VERIFY_VERIFY_FUNCTION_FLOW_H
#define HVCIFIX_VERIFY_VERIFY_FUNCTION_FLOW_H

#include "verify/verify_code.h"

/* True when each unlikely instruction in [begin, end) of the section is run into, or branched to, from the
 * function's begin, and a branch that stands before it goes on behind it, or all that follows is run into, too,
 * and ends with a return or a jump: tables and text stand behind the code, where nothing leads, or where a call
 * would return that never does. Calls are taken to return. */
bool verify_unlikely_is_reached(struct verify_code *code, const struct verify_code_section *section,
                                size_t begin, size_t end);

#endif
