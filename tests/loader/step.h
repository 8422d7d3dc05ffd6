/* step.h - drivers run instruction by instruction, so that at each it can be shown that a fault there would
 * find its caller: in moved code, in stubs, in copies of instructions. */
#ifndef LOADER_STEP_H
#define LOADER_STEP_H

#include "text.h"

/* How many instructions of each call are looked at, stubs not counted, and how many were in all. */
extern uint32_t step_limit;
extern uint32_t step_count, step_stub_count;

/* One line for each call with instructions whose callers would not be found; the first of them is
 * `step_first_lost`. Where an original has no unwind data its repair has none either, so two reports are
 * compared. */
extern struct text step_report;
extern struct text step_first_lost;

/* Begins a report. */
void step_begin_load(void);

/* The next function that is called is followed; until step_end. */
void step_begin(void);
void step_end(void);

/* Looks at the state before an instruction. Whether the next one is to be looked at, too. */
bool step_look(const struct context *context);

/* An exception went on here: inner calls are gone. */
void step_resumed(void);
bool step_is_on(void);

/* Has the function that is followed begun? */
bool step_is_inside(void);

#define PROCESSOR_STEPS 0x100u /* the flag that makes it stop after each instruction */

#endif
