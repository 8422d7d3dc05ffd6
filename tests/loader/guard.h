/* guard.h - what the load configuration asks of the kernel: the security cookie, and checks of indirect
 * calls. */
#ifndef LOADER_GUARD_H
#define LOADER_GUARD_H

#include "text.h"

/* Makes the cookie random, as the kernel does when it holds the default, and puts the checks into their
 * slots. */
void guard_fill_slots(void);

/* Says in the log that an indirect call of this image must not lead to `target`, and goes on: some originals
 * do that, too. `from` is where it would return to. The first such call is in guard_refused. */
extern struct text guard_refused;
void guard_judge_call(uintptr_t target, uintptr_t from);

/* Is it a handler that the image registered? True where it has no table (x64: always). */
bool guard_knows_handler(uintptr_t handler);

#endif
