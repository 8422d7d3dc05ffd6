/* workers.h - what several threads need of the system: threads, a place to meet, the number of cores.
 * Takes: functions to run.  Gives: threads, or NULL where the system has none to give.
 * Must not: know images, or be used outside tool/cli. workers_posix.c and workers_windows.c implement it. */
#ifndef HVCIFIX_CLI_WORKERS_H
#define HVCIFIX_CLI_WORKERS_H

/* How many cores this process may use; at least 1. */
unsigned workers_core_count(void);

/* Before the first of many images: memory that one image has given back is there for any other, on any
 * thread. */
void workers_share_memory(void);

/* Runs body(context) in a thread of its own. NULL when the system or memory refuses; nothing runs then.
 * worker_join() waits until the body has returned and frees the worker. */
struct worker;
struct worker *worker_start(void (*body)(void *context), void *context);
void worker_join(struct worker *worker);

/* A lock with one condition: who is inside is alone; who waits is outside until somebody calls. */
struct meeting;
struct meeting *meeting_new(void); /* NULL when memory ran out */
void meeting_free(struct meeting *meeting);
void meeting_enter(struct meeting *meeting);
void meeting_leave(struct meeting *meeting);
void meeting_wait(struct meeting *meeting); /* inside; may return without a call, so look again */
void meeting_call(struct meeting *meeting); /* inside; wakes all who wait */

#endif
