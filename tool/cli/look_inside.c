/* look_inside.c - look_inside.h, by run_package.h.
 * Takes: a file that was read.  Gives: one report for each image inside, and a verdict on the file that holds
 * them. Must not: unpack to disk, or repair. */
#include "cli/look_inside.h"

#include "base/path_name.h"
#include "cli/check_infs.h"
#include "cli/image_reports.h"
#include "cli/interrupt.h"
#include "cli/run_package.h"

bool outcome_is_passed_over(const struct outcome *outcome)
{
    /* A file that is called like an image and is none is worth a word. */
    if (path_is_image_name(outcome->path))
        return false;
    return outcome->problems.count == 1 && outcome->problems.items[0].code == HVCI9001_NOT_A_PE_IMAGE;
}

bool outcome_is_archive(const struct outcome *outcome)
{
    return outcome->problems.count == 1 && outcome->problems.items[0].code == HVCI9001_NOT_A_PE_IMAGE &&
           package_is_archive(outcome->file.bytes);
}

/* A package that is being looked into. */
struct package_work {
    const struct image_run *run;
    const char *path;
    struct ordered *ordered;
    size_t number; /* of the package's item */
    atomic_size_t image_count, rejected_count, problem_count;
};

static void judge_inside(void *context, enum package_step step, const struct package_item *item,
                         struct outcome *outcome, char room[REPORT_SCARCE_NBYTES],
                         struct image_report *report)
{
    struct package_work *work = context;
    const struct image_run *run = work->run;
    bool enforces = run->options->verb == VERB_ENFORCE;
    outcome->container_path = work->path;
    if (step == PACKAGE_IMAGE && enforces)
        enforce_run_content(item->path, work->path, item->bytes, &run->enforce, outcome->arena.stock,
                            outcome);
    else if (step == PACKAGE_IMAGE)
        pipeline_run_content(item->path, work->path, item->bytes, &run->pipeline, outcome);
    else
        pipeline_end_with(outcome, step == PACKAGE_PROBLEM ? item->path : work->path, &item->problem,
                          item->problem.level == LEVEL_NOTE ? EXIT_CLEAN : EXIT_INPUT);
    if (step != PACKAGE_IMAGE)
        atomic_fetch_add(&work->problem_count, 1);
    if (outcome->was_stopped)
        return;
    image_run_note(run, outcome);
    if (step == PACKAGE_IMAGE && outcome_is_passed_over(outcome))
        return;
    if (enforces && step != PACKAGE_IMAGE)
        enforce_settle(&run->enforce, outcome);
    if (item->remark)
        outcome->remark = item->remark;
    atomic_fetch_add(&work->image_count, 1);
    if (outcome->enforced == ENFORCE_REJECTED || outcome->enforced == WOULD_REJECT)
        atomic_fetch_add(&work->rejected_count, 1);
    *report = image_report_make(run, outcome, room);
}

static bool pass_on(void *context, const struct image_report *report)
{
    struct package_work *work = context;
    return ordered_hand_over_part(work->ordered, work->number, report);
}

/* Opens what the outcome's file is, or carries; NULL when that is nothing. */
static struct package *open_package(struct outcome *outcome, bool is_archive)
{
    struct package *package = NULL;
    bool is_opened = true;
    if (is_archive)
        is_opened = (package = package_open_archive(outcome->path, outcome->file.bytes)) != NULL;
    else if (outcome->has_image)
        is_opened = package_open_image(outcome->path, &outcome->image, &package);
    if (!is_opened)
        outcome->arena.exhausted = true; /* the report says so */
    return package;
}

/* The outcome of an archive is about what it holds. */
static void begin_archive(const struct image_run *run, struct outcome *outcome)
{
    outcome->problems.count = 0;
    outcome->status = STATUS_CLEAN;
    outcome->exit_code = EXIT_CLEAN;
    if (run->options->verb == VERB_ENFORCE)
        enforce_settle(&run->enforce, outcome);
}

bool look_inside(const struct image_run *run, const struct work_item *item, size_t number,
                 struct ordered *ordered, struct outcome *outcome)
{
    bool holds_only = outcome_is_archive(outcome);
    struct package *package = open_package(outcome, holds_only);
    if (!package)
        return true;
    if (holds_only)
        begin_archive(run, outcome);
    struct package_work work = {.run = run, .path = item->path, .ordered = ordered, .number = number};
    unsigned sharing = image_run_worker_count(run, run->list->count);
    struct package_jobs jobs = {
        .package = package,
        .worker_count = image_run_worker_count(run, SIZE_MAX) / sharing,
        .pipeline = &run->pipeline,
        .context = &work,
        .judge = judge_inside,
        .deliver = pass_on,
    };
    run_package(&jobs);
    package_close(package);
    outcome->was_stopped = atomic_load(interrupt_flag());
    size_t rejected_count = atomic_load(&work.rejected_count);
    if (rejected_count != 0) {
        enforce_reject_package(&run->enforce, rejected_count, outcome);
        return true;
    }
    if (holds_only && atomic_load(&work.image_count) == 0 && item->kind == WORK_IMAGE) {
        struct finding problem = finding_make(&outcome->arena, HVCI9001_NOT_A_PE_IMAGE, LEVEL_ERROR,
                                              "There is no Windows image in this archive.");
        problem.cure = "Name the archive that holds the drivers, or the driver itself.";
        pipeline_end_with(outcome, item->path, &problem, EXIT_INPUT);
        if (run->options->verb == VERB_ENFORCE)
            enforce_settle(&run->enforce, outcome);
        return true;
    }
    /* What could not be read to its end is not said to lack anything. */
    return !holds_only || (run->options->verb == VERB_CHECK && !outcome->was_stopped &&
                           atomic_load(&work.image_count) != 0 && atomic_load(&work.problem_count) == 0 &&
                           check_infs_of_archive(outcome));
}
