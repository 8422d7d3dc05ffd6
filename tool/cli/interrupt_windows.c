/* interrupt_windows.c - interrupt.h by the console's control events.
 * Takes: Ctrl-C, Ctrl-Break, a window that is closed, the end of a session.  Gives: the flag.
 * Must not: do more in the handler, which runs in a thread of its own, than to raise it. */
#include "cli/interrupt.h"

#include <windows.h>

/* The system ends the program soon after these events, and at once when the handler returns. */
enum { MOST_WAIT_MS = 10000 };

static atomic_bool is_requested;

static BOOL WINAPI note(DWORD event)
{
    bool was_requested = atomic_exchange(&is_requested, true);
    if (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT)
        return !was_requested; /* the second one ends the program */
    Sleep(MOST_WAIT_MS);       /* the other threads end it before */
    return TRUE;
}

void interrupt_watch(void)
{
    SetConsoleCtrlHandler(note, TRUE);
}

const atomic_bool *interrupt_flag(void)
{
    return &is_requested;
}

void interrupt_take_over(bool is_signal, int number)
{
    if (!is_signal && number == (int)STATUS_CONTROL_C_EXIT)
        atomic_store(&is_requested, true);
}

void interrupt_pass_on(void)
{
    if (atomic_load(&is_requested))
        ExitProcess((UINT)STATUS_CONTROL_C_EXIT);
}
