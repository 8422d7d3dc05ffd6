/* ordered.c - ordered.h: who works and who waits. A job that found no memory beside the others is done again
 * while they wait. Takes: jobs.  Gives: their calls.  Must not: know images or print. */
#include "cli/ordered_internal.h"

#include <stdlib.h>

/* A job may begin when it is at most so far ahead of the oldest that is not delivered, so that reports do not
 * pile up behind one slow image. */
enum { WINDOW_JOBS_PER_WORKER = 64 };

/* A thread is added only where each would still find so much memory: an image that one thread alone would
 * judge should rarely lack what the others have taken. */
enum { ROOM_PER_WORKER_NBYTES = 4 * 1024 * 1024 };

void ordered_enter(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_enter(ordered->meeting);
}

void ordered_leave(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_leave(ordered->meeting);
}

void ordered_wait(struct ordered *ordered)
{
    if (ordered->meeting) /* one thread alone never has to wait */
        meeting_wait(ordered->meeting);
}

void ordered_call(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_call(ordered->meeting);
}

void ordered_pause(struct ordered *ordered, size_t number)
{
    bool was_alone = number != NO_JOB && ordered->alone_job == number;
    ordered->running_count--;
    if (was_alone)
        ordered->alone_job = NO_JOB;
    if (was_alone || ordered->wanting_count != 0)
        ordered_call(ordered);
}

bool ordered_must_stand_by(const struct ordered *ordered)
{
    return ordered->wanting_count != 0 || ordered->alone_job != NO_JOB;
}

void ordered_resume(struct ordered *ordered)
{
    while (ordered->meeting && ordered_must_stand_by(ordered))
        ordered_wait(ordered);
    ordered->running_count++;
}

bool ordered_has_others(struct ordered *ordered, size_t number)
{
    ordered_enter(ordered);
    bool has_others = ordered->started_count != 0 && ordered->alone_job != number;
    ordered_leave(ordered);
    return has_others;
}

void ordered_be_alone(struct ordered *ordered, size_t number)
{
    ordered_enter(ordered);
    ordered->wanting_count++; /* without a meeting nobody else runs */
    ordered_pause(ordered, number);
    while (ordered->running_count != 0)
        ordered_wait(ordered);
    ordered->wanting_count--;
    ordered->running_count++;
    ordered->alone_job = number;
    ordered_leave(ordered);
}

/* The job whose report is next may always begin, whatever waits. */
static bool has_room(const struct ordered *ordered)
{
    return ordered->next_job == ordered->next_report ||
           (ordered->next_job - ordered->next_report < ordered->window_count &&
            ordered->waiting_nbytes < ORDERED_WINDOW_NBYTES);
}

static bool is_over(const struct ordered *ordered)
{
    return ordered->is_stopped || ordered->next_job == ordered->jobs->count ||
           (ordered->jobs->stop && atomic_load(ordered->jobs->stop));
}

static bool begin_job(struct ordered *ordered, struct arena_stock *stock, size_t *number)
{
    ordered_enter(ordered);
    while (!is_over(ordered) && (ordered_must_stand_by(ordered) || !has_room(ordered))) {
        if (ordered_must_stand_by(ordered))
            arena_stock_free(stock); /* the same */
        ordered_wait(ordered);
    }
    bool has_job = !is_over(ordered);
    if (has_job) {
        *number = ordered->next_job++;
        ordered->running_count++;
    }
    ordered_leave(ordered);
    return has_job;
}

static void end_job(struct ordered *ordered, struct arena_stock *stock, size_t number)
{
    ordered_enter(ordered);
    if (ordered_must_stand_by(ordered) && ordered->alone_job != number)
        arena_stock_free(stock); /* who wants to be alone has all memory then */
    ordered_pause(ordered, number);
    ordered_leave(ordered);
}

static bool has_memory_for(unsigned worker_count)
{
    void *room = malloc((size_t)worker_count * ROOM_PER_WORKER_NBYTES);
    free(room);
    return room != NULL;
}

static void work(void *context);

/* Each thread starts the next one before its own first job, so that a short list does not wait for threads
 * that find nothing to do. */
static void start_next(struct ordered *ordered)
{
    ordered_enter(ordered);
    unsigned number = ordered->started_count;
    bool is_wanted = ordered->workers && number + 1 < ordered->jobs->worker_count &&
                     ordered->next_job + 1 < ordered->jobs->count;
    if (is_wanted)
        ordered->started_count++;
    ordered_leave(ordered);
    if (is_wanted && has_memory_for(number + 2))
        ordered->workers[number] = worker_start(work, ordered);
}

static void work(void *context)
{
    struct ordered *ordered = context;
    struct arena_stock stock = {0};
    size_t number;
    start_next(ordered);
    while (begin_job(ordered, &stock, &number)) {
        ordered->jobs->run(ordered->jobs->context, number, ordered, &stock);
        end_job(ordered, &stock, number);
    }
    arena_stock_free(&stock);
}

/* What several threads need; without it, one does all. */
static void prepare_threads(struct ordered *ordered)
{
    unsigned worker_count = ordered->jobs->worker_count;
    if (worker_count < 2)
        return;
    ordered->window_count = (size_t)worker_count * WINDOW_JOBS_PER_WORKER;
    ordered->meeting = meeting_new();
    ordered->window = calloc(ordered->window_count, sizeof *ordered->window);
    ordered->workers = calloc(worker_count - 1, sizeof *ordered->workers);
    if (ordered->meeting && ordered->window && ordered->workers)
        return;
    if (ordered->meeting)
        meeting_free(ordered->meeting);
    free(ordered->window);
    free(ordered->workers);
    ordered->meeting = NULL;
    ordered->window = NULL;
    ordered->workers = NULL;
}

void ordered_run(const struct ordered_jobs *jobs)
{
    struct ordered ordered = {.jobs = jobs, .alone_job = NO_JOB};
    prepare_threads(&ordered);
    work(&ordered);
    if (!ordered.meeting)
        return;
    /* A worker that is joined has started the next, if there is one. */
    for (unsigned i = 0; i + 1 < jobs->worker_count && ordered.workers[i]; i++)
        worker_join(ordered.workers[i]);
    meeting_free(ordered.meeting);
    free(ordered.window);
    free(ordered.workers);
}
