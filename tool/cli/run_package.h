/* run_package.h - the images of one package, on several threads, their reports in the order of the package.
 * Takes: an open package and what judges one of its items.  Gives: the same calls of `deliver`, in the same
 * order, whatever the number of threads. Must not: know reports, or hold more images than there are threads.
 */
#ifndef HVCIFIX_CLI_RUN_PACKAGE_H
#define HVCIFIX_CLI_RUN_PACKAGE_H

#include "cli/ordered.h"
#include "package/package.h"

struct package_jobs {
    struct package *package;
    unsigned worker_count;
    const struct pipeline_options *pipeline; /* for the outcomes */
    void *context;
    /* Makes the report of one item. `outcome` is begun, and item lives in its arena. Runs on several threads
     * at a time. `room` is for a report for which memory ran out. */
    void (*judge)(void *context, enum package_step step, const struct package_item *item,
                  struct outcome *outcome, char room[REPORT_SCARCE_NBYTES], struct image_report *report);
    /* Takes a report; false: no more are wanted. Never two at a time. */
    bool (*deliver)(void *context, const struct image_report *report);
};

/* Runs to the package's end; what is read of it one after the other, is judged at the same time. */
void run_package(const struct package_jobs *jobs);

#endif
