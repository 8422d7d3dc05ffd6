/* verify_unexecuted.h - proves that nothing executes in a section of data, so that it can lose MEM_EXECUTE.
 * Takes: the new image and a section of it.  Gives: a sentence that says what was examined, or the
 * counter-example.  Must not: ask what an address in the section is used for; any that there is refutes.
 *
 * Variables that code finds by the name of their section in the headers have to stay writable, and no number,
 * operand or pointer tells of them. So the section keeps MEM_WRITE, and gives up the other right when
 *   - the linker did not mark it as code,
 *   - no entry point, directory, branch, operand, pointer or RVA anywhere in the image leads into it,
 *   - its bytes decode as no routine: two instructions up to a return, trap or jump, or one at its begin, and
 *   - it has no room for code that is made at run time: 16 bytes in a row of one kind of fill.
 * Assumed, and not shown: what was found by name is not code that is decoded only at run time. */
#ifndef HVCIFIX_VERIFY_VERIFY_UNEXECUTED_H
#define HVCIFIX_VERIFY_VERIFY_UNEXECUTED_H

#include "verify/verify_case.h"

/* `section` is one of judged->new_image; its rights are not asked. False with the counter-example set, or
 * when memory ran out. */
bool verify_nothing_executes(struct verify_case *judged, const struct verify_section *section,
                             const char **summary);

#endif
