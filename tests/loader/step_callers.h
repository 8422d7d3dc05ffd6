/* step_callers.h - the question that step.c asks at each instruction, answered for each machine. */
#ifndef LOADER_STEP_CALLERS_H
#define LOADER_STEP_CALLERS_H

#include "machine.h"

/* `entered`: the state at the first instruction of the function that the loader called. */
void callers_begin(const struct context *entered);

/* Would a fault at this instruction find all its callers, up to the loader? */
bool callers_are_found(const struct context *entered, const struct context *context);

/* Are the registers that a function has to keep the same when it returns? */
bool callers_are_kept(const struct context *entered, const struct context *returned);

/* An exception went on somewhere else: inner calls are gone. */
void callers_resumed(void);

#endif
