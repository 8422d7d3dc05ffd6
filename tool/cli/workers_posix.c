/* workers_posix.c - workers.h on POSIX threads.
 * Takes: functions to run.  Gives: threads.  Must not: know images. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity() */
#else
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

/* The usual 8 MiB would count against a limit of address space; Windows gives a thread 2 as well. */
enum { STACK_NBYTES = 2 * 1024 * 1024 };

#if defined(__GLIBC__)
/* From here on a piece of memory is a mapping of its own, which goes back to the system whole. */
enum { LARGE_NBYTES = 512 * 1024 };
#endif

struct worker {
    pthread_t thread;
    void (*body)(void *context);
    void *context;
};

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t condition;
};

unsigned workers_core_count(void)
{
#if defined(__linux__)
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) > 0)
        return (unsigned)CPU_COUNT(&usable);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* also where there are more than fit a cpu_set_t */
    return online > 0 ? (unsigned)online : 1;
}

void workers_share_memory(void)
{
#if defined(__GLIBC__)
    /* glibc would give each thread 64 MiB of address space for small pieces, which a limit on it counts, and
     * would keep large ones that are released, in holes between others. Arenas take few, and keep what they
     * will need. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_NBYTES);
#endif
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    worker->body(worker->context);
    return NULL;
}

struct worker *worker_start(void (*body)(void *context), void *context)
{
    struct worker *worker = malloc(sizeof *worker);
    if (!worker)
        return NULL;
    worker->body = body;
    worker->context = context;
    pthread_attr_t attributes;
    bool is_started = false;
    if (pthread_attr_init(&attributes) == 0) {
        is_started = pthread_attr_setstacksize(&attributes, STACK_NBYTES) == 0 &&
                     pthread_create(&worker->thread, &attributes, run_worker, worker) == 0;
        pthread_attr_destroy(&attributes);
    }
    if (!is_started) {
        free(worker);
        return NULL;
    }
    return worker;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    free(worker);
}

struct meeting *meeting_new(void)
{
    struct meeting *meeting = malloc(sizeof *meeting);
    if (!meeting)
        return NULL;
    if (pthread_mutex_init(&meeting->lock, NULL) != 0) {
        free(meeting);
        return NULL;
    }
    if (pthread_cond_init(&meeting->condition, NULL) != 0) {
        pthread_mutex_destroy(&meeting->lock);
        free(meeting);
        return NULL;
    }
    return meeting;
}

void meeting_free(struct meeting *meeting)
{
    pthread_cond_destroy(&meeting->condition);
    pthread_mutex_destroy(&meeting->lock);
    free(meeting);
}

void meeting_enter(struct meeting *meeting)
{
    pthread_mutex_lock(&meeting->lock);
}

void meeting_leave(struct meeting *meeting)
{
    pthread_mutex_unlock(&meeting->lock);
}

void meeting_wait(struct meeting *meeting)
{
    pthread_cond_wait(&meeting->condition, &meeting->lock);
}

void meeting_call(struct meeting *meeting)
{
    pthread_cond_broadcast(&meeting->condition);
}
