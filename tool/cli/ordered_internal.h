/* ordered_internal.h - what ordered.c (who works, who waits) and ordered_window.c (reports) share.
 * Takes: a run in progress.  Gives: its state, and how its jobs wait.  Must not: be included by others. */
#ifndef HVCIFIX_CLI_ORDERED_INTERNAL_H
#define HVCIFIX_CLI_ORDERED_INTERNAL_H

#include "cli/ordered.h"
#include "cli/workers.h"

#define NO_JOB SIZE_MAX

enum { ORDERED_WINDOW_NBYTES = 8 * 1024 * 1024 }; /* that wait; then no more jobs are begun */

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
    size_t running_count;    /* jobs that are begun, not ended and not paused */
    size_t wanting_count;    /* jobs that wait until they are alone */
    size_t alone_job;        /* runs while no other does; NO_JOB mostly */
    struct worker **workers; /* the threads besides the calling one; each starts the next */
    unsigned started_count;
};

void ordered_enter(struct ordered *ordered);
void ordered_leave(struct ordered *ordered);

/* Inside the meeting; may return without a call, so look again. */
void ordered_wait(struct ordered *ordered);
void ordered_call(struct ordered *ordered);

/* Inside the meeting: is, or wants, a job to be alone, for lack of memory beside the others? It comes first.
 */
bool ordered_must_stand_by(const struct ordered *ordered);

/* Inside the meeting: the job ends, or is about to wait for another; until ordered_resume() it neither judges
 * nor keeps another from being alone. NO_JOB for one that cannot be alone yet. */
void ordered_pause(struct ordered *ordered, size_t number);

/* Inside the meeting: the job goes on, once nobody is or wants to be alone. */
void ordered_resume(struct ordered *ordered);

#endif
