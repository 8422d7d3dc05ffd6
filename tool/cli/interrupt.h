/* interrupt.h - Ctrl-C, and whatever else asks the program to end.
 * Takes: the system's signals.  Gives: a flag that the work looks at, so that nothing is left half-written.
 * Must not: be used outside tool/cli. interrupt_posix.c and interrupt_windows.c implement it. */
#ifndef HVCIFIX_CLI_INTERRUPT_H
#define HVCIFIX_CLI_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>

/* From now on the first request only raises the flag; the second ends the program at once. Requests that
 * whoever started the program wants to be ignored stay ignored. */
void interrupt_watch(void);

/* Raised by a request. */
const atomic_bool *interrupt_flag(void);

/* A program that we ran has ended: by a signal of this number, or with an exit code. Where that says that it
 * was asked to end, so were we. */
void interrupt_take_over(bool is_signal, int number);

/* Ends the program as this system ends one that was interrupted, so that the caller stops too: by the signal
 * itself, which shells show as 130 (SIGINT) or 143 (SIGTERM), or with STATUS_CONTROL_C_EXIT on Windows.
 * Returns when nothing was requested. */
void interrupt_pass_on(void);

#endif
