/* ordered.h - numbered jobs on several threads, their reports delivered in the order of the numbers.
 * Takes: what does a job, and what takes a report.  Gives: the same calls of `deliver`, in the same order,
 * whatever the number of threads.  Must not: know images or print; hold more than a window of reports that
 * wait for their turn. */
#ifndef HVCIFIX_CLI_ORDERED_H
#define HVCIFIX_CLI_ORDERED_H

#include "cli/options.h"

#include <stdatomic.h>

/* What is left of an image when it is done: its report as text, and what the summary and the exit code need.
 */
struct image_report {
    const char *chars;
    size_t nbytes;
    size_t shown_nbytes; /* the first of them go to the stream of the run; behind them lie the fragments of
                          * report files (report_sinks.h) */
    size_t fragment_nbytes[REPORT_SINKS_MOST];
    bool is_scarce;   /* memory ran out for the report; there are no fragments */
    bool was_written; /* the image, for which the report is scarce */
    bool is_shown;    /* false for a file that is passed over: it has no report and does not count */
    bool is_part;     /* more reports of this job follow */
    struct report_totals totals;
    enum exit_code exit_code;
};

struct ordered;

struct ordered_jobs {
    size_t count;
    unsigned worker_count;   /* at most so many jobs at a time; 1 creates no thread */
    const atomic_bool *stop; /* once it is true no more jobs are begun; or NULL */
    void *context;
    /* Does job `number` and calls ordered_hand_over() once, at its end. Runs on several threads at a time,
     * each with a stock of its own. */
    void (*run)(void *context, size_t number, struct ordered *ordered, struct arena_stock *stock);
    /* Takes the report of job `number`, or a part of it (report->is_part). Never two at a time, numbers
     * ascending, each as soon as it and all before it are done. is_last: no further report is ready now. When
     * it returns false no more jobs are begun and nothing more is delivered. */
    bool (*deliver)(void *context, size_t number, const struct image_report *report, bool is_last);
};

/* Runs all jobs, begun in ascending order. Where threads or memory are refused it runs with fewer, at worst
 * one after the other on the calling thread. */
void ordered_run(const struct ordered_jobs *jobs);

/* For `run`: ends job `number`. report->chars is copied or delivered before this returns. */
void ordered_hand_over(struct ordered *ordered, size_t number, const struct image_report *report);

/* For `run`: one more report of job `number`, before the one that ends it. Delivered when it is the job's
 * turn, and copied until then; waits for that when there are too many copies. False: nothing is delivered any
 * more, so there is no sense in going on. */
bool ordered_hand_over_part(struct ordered *ordered, size_t number, const struct image_report *report);

/* For `run`, when memory ran out for job `number`: could it have more if the others waited? */
bool ordered_has_others(struct ordered *ordered, size_t number);

/* For `run`, then: returns once no other job runs; none begins until this one has ended. What it took has to
 * be released before; what others keep for later is given back. */
void ordered_be_alone(struct ordered *ordered, size_t number);

/* For `run`: returns when job `number`, lower than the caller's own, has been handed over. */
void ordered_wait_for(struct ordered *ordered, size_t number);

#endif
