/* ordered.c - ordered.h by a window of finished reports: who ends the job whose turn it is delivers its
 * report and those that wait behind it. Takes: jobs.  Gives: reports in order.  Must not: know images or
 * print. */
#include "cli/ordered.h"

#include "cli/workers.h"

#include <stdlib.h>
#include <string.h>

/* A job may begin when it is at most so far ahead of the oldest that is not delivered, so that reports do not
 * pile up behind one slow image. */
enum { WINDOW_JOBS_PER_WORKER = 64, WINDOW_NBYTES = 8 * 1024 * 1024, DELIVERIES_PER_CALL = 32 };

/* A thread is added only where each would still find so much memory: an image that one thread alone would
 * judge must not lack what the others have taken. */
enum { ROOM_PER_WORKER_NBYTES = 4 * 1024 * 1024 };

/* What waits of one job; chars of reports come from malloc(). */
struct slot {
    bool is_ready;
    struct image_report report;
    struct image_report *parts; /* from malloc(); delivered before the report */
    size_t part_count, part_capacity;
};

struct ordered {
    const struct ordered_jobs *jobs;
    struct meeting *meeting; /* guards all below; NULL while there is one thread */
    struct slot *window;     /* reports that wait for their turn, by number modulo window_count */
    size_t window_count;
    size_t waiting_nbytes; /* of reports in the window */
    size_t next_job;       /* the first that is not begun */
    size_t next_report;    /* the first that is not delivered */
    bool is_stopped;
    struct worker **workers; /* the threads besides the calling one; each starts the next */
    unsigned started_count;
};

static void enter(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_enter(ordered->meeting);
}

static void leave(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_leave(ordered->meeting);
}

static void wait_for_call(struct ordered *ordered)
{
    if (ordered->meeting) /* one thread alone never has to wait */
        meeting_wait(ordered->meeting);
}

static void call_all(struct ordered *ordered)
{
    if (ordered->meeting)
        meeting_call(ordered->meeting);
}

static struct slot *slot_of(const struct ordered *ordered, size_t number)
{
    return &ordered->window[number % ordered->window_count];
}

/* The job whose report is next may always begin, whatever waits. */
static bool has_room(const struct ordered *ordered)
{
    return ordered->next_job == ordered->next_report ||
           (ordered->next_job - ordered->next_report < ordered->window_count &&
            ordered->waiting_nbytes < WINDOW_NBYTES);
}

static bool is_over(const struct ordered *ordered)
{
    return ordered->is_stopped || ordered->next_job == ordered->jobs->count ||
           (ordered->jobs->stop && atomic_load(ordered->jobs->stop));
}

static bool begin_job(struct ordered *ordered, size_t *number)
{
    enter(ordered);
    while (!is_over(ordered) && !has_room(ordered))
        wait_for_call(ordered);
    bool has_job = !is_over(ordered);
    if (has_job)
        *number = ordered->next_job++;
    leave(ordered);
    return has_job;
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
    enter(ordered);
    unsigned number = ordered->started_count;
    bool is_wanted = ordered->workers && number + 1 < ordered->jobs->worker_count &&
                     ordered->next_job + 1 < ordered->jobs->count;
    if (is_wanted)
        ordered->started_count++;
    leave(ordered);
    if (is_wanted && has_memory_for(number + 2))
        ordered->workers[number] = worker_start(work, ordered);
}

static void work(void *context)
{
    struct ordered *ordered = context;
    struct arena_stock stock = {0};
    size_t number;
    start_next(ordered);
    while (begin_job(ordered, &number))
        ordered->jobs->run(ordered->jobs->context, number, ordered, &stock);
    arena_stock_free(&stock);
}

/* Inside the meeting, which is left while the report is taken: no other thread delivers before next_report
 * moves. */
static void deliver_one(struct ordered *ordered, size_t number, const struct image_report *report,
                        bool is_last)
{
    if (ordered->is_stopped)
        return;
    leave(ordered);
    bool goes_on = ordered->jobs->deliver(ordered->jobs->context, number, report, is_last);
    enter(ordered);
    ordered->is_stopped = !goes_on;
}

/* Inside the meeting: the parts of the job whose turn it is that wait. */
static void deliver_parts(struct ordered *ordered, size_t number)
{
    if (!ordered->window)
        return;
    struct slot *slot = slot_of(ordered, number);
    for (size_t i = 0; i < slot->part_count; i++) {
        deliver_one(ordered, number, &slot->parts[i], false);
        ordered->waiting_nbytes -= slot->parts[i].nbytes;
        free((void *)slot->parts[i].chars);
    }
    free(slot->parts);
    slot->parts = NULL;
    slot->part_count = slot->part_capacity = 0;
}

/* Inside the meeting: ends the job whose turn it is. */
static void deliver(struct ordered *ordered, size_t number, const struct image_report *report)
{
    bool is_last = !ordered->window || !slot_of(ordered, number + 1)->is_ready;
    deliver_parts(ordered, number);
    deliver_one(ordered, number, report, is_last);
    ordered->next_report++;
    if (ordered->next_report % DELIVERIES_PER_CALL == 0)
        call_all(ordered); /* there is room again for who waits, though more is to be delivered */
}

/* The report with chars of its own; false when memory ran out. */
static bool copy_report(const struct image_report *report, struct image_report *copy)
{
    char *chars = malloc(report->nbytes + 1);
    *copy = *report;
    copy->chars = chars;
    if (chars && report->nbytes != 0)
        memcpy(chars, report->chars, report->nbytes);
    return chars != NULL;
}

/* Puts a copy of the report into the window; false when memory ran out. */
static bool keep(struct ordered *ordered, size_t number, const struct image_report *report)
{
    struct image_report copy;
    if (!copy_report(report, &copy))
        return false;
    enter(ordered);
    bool is_kept = ordered->next_report != number;
    if (is_kept) {
        struct slot *slot = slot_of(ordered, number);
        slot->is_ready = true;
        slot->report = copy;
        ordered->waiting_nbytes += report->nbytes;
        call_all(ordered);
    }
    leave(ordered);
    if (!is_kept) /* its turn has come meanwhile */
        free((void *)copy.chars);
    return is_kept;
}

void ordered_hand_over(struct ordered *ordered, size_t number, const struct image_report *report)
{
    enter(ordered);
    bool is_its_turn = ordered->next_report == number;
    leave(ordered);
    if (!is_its_turn && keep(ordered, number, report))
        return;
    enter(ordered);
    while (ordered->next_report != number)
        wait_for_call(ordered);
    deliver(ordered, number, report);
    while (ordered->window && slot_of(ordered, ordered->next_report)->is_ready) {
        struct slot *slot = slot_of(ordered, ordered->next_report);
        struct image_report taken = slot->report;
        ordered->waiting_nbytes -= taken.nbytes;
        deliver_parts(ordered, ordered->next_report);
        slot->is_ready = false;
        deliver(ordered, ordered->next_report, &taken);
        free((void *)taken.chars);
    }
    call_all(ordered);
    leave(ordered);
}

/* Inside the meeting: puts a copy of the part into the job's slot; false when memory ran out. */
static bool keep_part(struct ordered *ordered, size_t number, const struct image_report *part)
{
    struct slot *slot = slot_of(ordered, number);
    if (slot->part_count == slot->part_capacity) {
        size_t capacity = 2 * slot->part_capacity + 16;
        struct image_report *parts = realloc(slot->parts, capacity * sizeof *parts);
        if (!parts)
            return false;
        slot->parts = parts;
        slot->part_capacity = capacity;
    }
    if (!copy_report(part, &slot->parts[slot->part_count]))
        return false;
    slot->part_count++;
    ordered->waiting_nbytes += part->nbytes;
    return true;
}

bool ordered_hand_over_part(struct ordered *ordered, size_t number, const struct image_report *report)
{
    struct image_report part = *report;
    part.is_part = true;
    enter(ordered);
    bool has_room = ordered->waiting_nbytes < WINDOW_NBYTES;
    if (ordered->next_report == number || !has_room || !keep_part(ordered, number, &part)) {
        while (ordered->next_report != number)
            wait_for_call(ordered);
        deliver_parts(ordered, number);
        deliver_one(ordered, number, &part, true);
        call_all(ordered);
    }
    bool goes_on = !ordered->is_stopped;
    leave(ordered);
    return goes_on;
}

void ordered_wait_for(struct ordered *ordered, size_t number)
{
    enter(ordered);
    while (number >= ordered->next_report && !(ordered->window && slot_of(ordered, number)->is_ready))
        wait_for_call(ordered);
    leave(ordered);
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
    struct ordered ordered = {.jobs = jobs};
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
