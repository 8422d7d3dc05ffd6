/* verify_code_target.h - is this RVA a place where code begins?
 * Takes: struct verify_code and an RVA.  Gives: yes or no, by a fixed criterion.
 * Must not: say yes for data because it happens to decode for a few bytes.
 *
 * The criterion, in this order:
 *   1. the begin of a function in x64 unwind data: yes;
 *   2. inside such a function: yes when the function decodes cleanly and an instruction begins here;
 *   3. otherwise the bytes must decode as compiler-made instructions up to a return or jump (or 64 of them),
 *      none of them in a typed table, every direct branch leading into code, AND something must mark a
 *      beginning: an E8/E9 with this target, the entry point, 16-byte alignment, a return, jump or padding
 *      right before, or a pointer that stands beside another pointer to code (a jump table);
 *      and where a direct jump leads, the same must hold;
 *   4. where instructions between functions are known, one has to begin here, and alignment alone does not
 *      do. */
#ifndef HVCIFIX_VERIFY_VERIFY_CODE_TARGET_H
#define HVCIFIX_VERIFY_VERIFY_CODE_TARGET_H

#include "verify/verify_code.h"

/* `is_listed`: an export or a jump table names the RVA, which marks a beginning. */
bool verify_is_code_target(struct verify_code *code, uint32_t rva, bool is_listed);

/* The same without the last point, and without looking where jumps lead: for those who want no code there. */
bool verify_looks_like_code(struct verify_code *code, uint32_t rva, bool is_listed);

#endif
