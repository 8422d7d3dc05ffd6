/* interrupt_posix.c - interrupt.h by signals.
 * Takes: SIGINT, SIGTERM, SIGHUP.  Gives: the flag.  Must not: do more in a handler than to raise it. */
#define _XOPEN_SOURCE 700
#include "cli/interrupt.h"

#include <signal.h>
#include <string.h>

static atomic_bool is_requested;
static volatile sig_atomic_t requesting_signal;

static void note(int number)
{
    requesting_signal = number;
    atomic_store(&is_requested, true);
}

void interrupt_watch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old, action;
        memset(&action, 0, sizeof action);
        action.sa_handler = note;
        /* Calls that are under way go on; the second request meets no handler any more. */
        action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
        sigemptyset(&action.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}

const atomic_bool *interrupt_flag(void)
{
    return &is_requested;
}

void interrupt_take_over(bool is_signal, int number)
{
    if (is_signal && (number == SIGINT || number == SIGTERM || number == SIGHUP))
        note(number);
}

void interrupt_pass_on(void)
{
    if (!atomic_load(&is_requested))
        return;
    signal(requesting_signal, SIG_DFL);
    raise(requesting_signal);
}
