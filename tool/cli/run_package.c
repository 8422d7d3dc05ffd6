/* run_package.c - run_package.h by ordered.h: job n reads item n as soon as item n - 1 is read, then judges
 * it. Takes: a package.  Gives: reports.  Must not: read two items at a time. */
#include "cli/run_package.h"

#include "cli/workers.h"

#include <stdatomic.h>

struct package_run {
    const struct package_jobs *jobs;
    struct meeting *meeting;  /* guards next_read; NULL while there is one thread */
    size_t next_read;         /* the item to read next */
    atomic_size_t end_number; /* of the first job that found nothing more */
};

static enum package_step read_item(struct package_run *run, size_t number, struct outcome *outcome,
                                   struct package_item *item)
{
    if (run->meeting) {
        meeting_enter(run->meeting);
        while (run->next_read != number)
            meeting_wait(run->meeting);
        meeting_leave(run->meeting);
    }
    /* No other job reads before next_read moves. */
    enum package_step step = package_next(run->jobs->package, &outcome->arena, item);
    if (step == PACKAGE_END && number < atomic_load(&run->end_number))
        atomic_store(&run->end_number, number);
    if (run->meeting) {
        meeting_enter(run->meeting);
        run->next_read++;
        meeting_call(run->meeting);
        meeting_leave(run->meeting);
    }
    return step;
}

static void run_job(void *context, size_t number, struct ordered *ordered, struct arena_stock *stock)
{
    struct package_run *run = context;
    struct image_report report = {0};
    struct pipeline_options pipeline = *run->jobs->pipeline;
    struct outcome outcome;
    struct package_item item;
    char room[REPORT_SCARCE_NBYTES];
    pipeline.stock = stock;
    pipeline_begin(&pipeline, &outcome);
    enum package_step step = read_item(run, number, &outcome, &item);
    if (step != PACKAGE_END)
        run->jobs->judge(run->jobs->context, step, &item, &outcome, room, &report);
    ordered_hand_over(ordered, number, &report);
    pipeline_release(&outcome);
}

static bool deliver_job(void *context, size_t number, const struct image_report *report, bool is_last)
{
    struct package_run *run = context;
    (void)is_last;
    if (number >= atomic_load(&run->end_number))
        return false;
    return !report->is_shown || run->jobs->deliver(run->jobs->context, report);
}

void run_package(const struct package_jobs *jobs)
{
    struct package_run run = {.jobs = jobs, .meeting = jobs->worker_count > 1 ? meeting_new() : NULL};
    atomic_init(&run.end_number, SIZE_MAX);
    struct ordered_jobs ordered = {
        .count = SIZE_MAX, /* until the end is found */
        .worker_count = run.meeting ? jobs->worker_count : 1,
        .context = &run,
        .run = run_job,
        .deliver = deliver_job,
        .stop = jobs->pipeline->stop,
    };
    ordered_run(&ordered);
    if (run.meeting)
        meeting_free(run.meeting);
}
