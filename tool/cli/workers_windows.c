/* workers_windows.c - workers.h on Windows, without the runtime library of a compiler.
 * Takes: functions to run.  Gives: threads.  Must not: know images. */
#include "cli/workers.h"

#include <windows.h>

#include <stdlib.h>

struct worker {
    HANDLE thread;
    void (*body)(void *context);
    void *context;
};

struct meeting {
    SRWLOCK lock;
    CONDITION_VARIABLE condition;
};

unsigned workers_core_count(void)
{
    DWORD_PTR usable = 0, installed;
    unsigned count = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &usable, &installed))
        for (; usable != 0; usable &= usable - 1)
            count++;
    if (count == 0) /* the mask is empty where the process spans several groups of processors */
        count = (unsigned)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return count != 0 ? count : 1;
}

static DWORD WINAPI run_worker(void *argument)
{
    struct worker *worker = argument;
    worker->body(worker->context);
    return 0;
}

void workers_share_memory(void)
{
    /* A process has one heap, which maps large pieces apart. */
}

struct worker *worker_start(void (*body)(void *context), void *context)
{
    struct worker *worker = malloc(sizeof *worker);
    if (!worker)
        return NULL;
    worker->body = body;
    worker->context = context;
    worker->thread = CreateThread(NULL, 0, run_worker, worker, 0, NULL);
    if (!worker->thread) {
        free(worker);
        return NULL;
    }
    return worker;
}

void worker_join(struct worker *worker)
{
    WaitForSingleObject(worker->thread, INFINITE);
    CloseHandle(worker->thread);
    free(worker);
}

struct meeting *meeting_new(void)
{
    struct meeting *meeting = malloc(sizeof *meeting);
    if (!meeting)
        return NULL;
    InitializeSRWLock(&meeting->lock);
    InitializeConditionVariable(&meeting->condition);
    return meeting;
}

void meeting_free(struct meeting *meeting)
{
    free(meeting);
}

void meeting_enter(struct meeting *meeting)
{
    AcquireSRWLockExclusive(&meeting->lock);
}

void meeting_leave(struct meeting *meeting)
{
    ReleaseSRWLockExclusive(&meeting->lock);
}

void meeting_wait(struct meeting *meeting)
{
    SleepConditionVariableSRW(&meeting->condition, &meeting->lock, INFINITE, 0);
}

void meeting_call(struct meeting *meeting)
{
    WakeAllConditionVariable(&meeting->condition);
}
