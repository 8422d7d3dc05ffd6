/* fix_package_images.c - the files of a package, several at a time.
 * Takes: a package that was read.  Gives: what becomes of each file, and its report.  Must not: write to the
 * package that is there; let the order of threads show. */
#include "cli/fix_package_parts.h"

#include "base/path_name.h"
#include "cli/image_reports.h"
#include "cli/interrupt.h"
#include "cli/look_inside.h"
#include "package/package.h"

#include <stdlib.h>

/* Its own copy of a report, whose text is the outcome's. */
static struct image_report keep_report(const struct image_run *run, struct outcome *outcome)
{
    char room[REPORT_SCARCE_NBYTES];
    struct image_report report = image_report_make(run, outcome, room);
    char *copy = malloc(report.nbytes + 1);
    if (copy && report.nbytes != 0)
        memcpy(copy, report.chars, report.nbytes);
    if (!copy)
        report.nbytes = report.shown_nbytes = 0; /* counted all the same */
    report.chars = copy;
    return report;
}

static void report_file(const struct package_fix *fix, struct package_file *file, struct outcome *outcome)
{
    bool is_fixed = outcome->status == STATUS_FIXED;
    file->is_reported = true;
    file->exit_code = outcome->exit_code;
    file->is_fixed = is_fixed;
    outcome->wrote = false;
    file->not_written = keep_report(fix->run, outcome);
    outcome->wrote = is_fixed && fix->out;
    outcome->output_path = outcome->wrote ? fix->out : NULL;
    file->written = keep_report(fix->run, outcome);
}

bool fix_package_judge_inside(const struct image_run *run, struct outcome *outcome, const char *path,
                              struct span file, const struct image *image, bool *found)
{
    struct package *package = NULL;
    struct pipeline_options check = run->pipeline;
    bool is_opened = image ? package_open_image(path, image, &package)
                           : (package = package_open_archive(path, file)) != NULL;
    size_t bad_count = 0;
    const char *first = NULL;
    *found = false;
    check.goal = GOAL_CHECK;
    check.seal = NULL;
    while (is_opened && package) {
        struct outcome inside;
        struct package_item item;
        pipeline_begin(&check, &inside);
        enum package_step step = package_next(package, &inside.arena, &item);
        if (step == PACKAGE_IMAGE)
            pipeline_run_content(item.path, path, item.bytes, &check, &inside);
        *found = *found || step == PACKAGE_IMAGE;
        is_opened = step != PACKAGE_NO_MEMORY;
        bool is_bad = step == PACKAGE_PROBLEM || (step == PACKAGE_IMAGE && inside.exit_code == EXIT_FINDINGS);
        bad_count += is_bad;
        if (is_bad && !first)
            first = arena_printf(&outcome->arena, "%s", item.path);
        pipeline_release(&inside);
        if (step == PACKAGE_END)
            break;
    }
    if (package)
        package_close(package);
    if (!is_opened || outcome->arena.exhausted)
        return false;
    if (bad_count == 0)
        return true;
    struct finding problem =
        finding_make(&outcome->arena, HVCI9054_PACKAGE_NOT_REPAIRED, LEVEL_ERROR,
                     "It holds %zu %s a repair, or cannot be judged; the first is \"%s\". What is "
                     "packed inside another file is not repaired there.",
                     bad_count, bad_count == 1 ? "file that needs" : "files of which each needs", first);
    problem.cure =
        image ? "\"hvcifix fix --extract\" writes the images that a program carries to a folder, repaired; "
                "build the program from them."
              : "Unpack it, name the folder, and pack it again.";
    return finding_add(&outcome->problems, &problem);
}

/* The bytes that the file is to hold; the outcome has its story. */
static struct span treat(struct package_fix *fix, size_t number, struct span bytes,
                         const struct pipeline_options *pipeline, struct outcome *outcome)
{
    const struct parcel_entry *entry = &fix->parcel.entries[number];
    struct package_file *file = &fix->files[number];
    bool is_archive = package_is_archive(bytes);
    if (!is_archive && !package_is_image(bytes) && !path_is_image_name(entry->name))
        return bytes;
    if (!is_archive)
        pipeline_run_content(entry->path, fix->parcel.path, bytes, pipeline, outcome);
    if (outcome->was_stopped)
        return bytes;
    /* No image at all: a program for another system, or a text that is called like one. */
    if (!is_archive && !outcome->has_image && outcome->problems.count == 1 &&
        outcome->problems.items[0].code == HVCI9001_NOT_A_PE_IMAGE) {
        if (outcome_is_passed_over(outcome))
            return bytes;
        outcome->problems.items[0].level = LEVEL_NOTE;
        outcome->status = STATUS_FINDINGS;
        outcome->exit_code = EXIT_CLEAN;
    }
    size_t problem_count = outcome->problems.count;
    if (fix->parcel.kind != PARCEL_CARRIED && (is_archive || outcome->has_image) &&
        !fix_package_judge_inside(fix->run, outcome, entry->path, bytes, is_archive ? NULL : &outcome->image,
                                  &file->has_image_inside))
        outcome->arena.exhausted = true;
    if (outcome->problems.count != problem_count) {
        if (is_archive)
            outcome->status = STATUS_REFUSED;
        outcome->exit_code = exit_code_worse(outcome->exit_code, EXIT_FINDINGS);
    } else if (is_archive) {
        return bytes;
    }
    file->is_image = !is_archive;
    image_run_note(fix->run, outcome);
    file->stands_in_the_way = outcome->exit_code != EXIT_CLEAN || outcome->arena.exhausted;
    report_file(fix, file, outcome);
    if (outcome->status != STATUS_FIXED || fix->pipeline.dry_run)
        return bytes;
    return (struct span){outcome->output.bytes, outcome->output.nbytes};
}

bool fix_package_note_change(struct package_fix *fix, size_t number, struct span before, struct span after,
                             struct outcome *outcome)
{
    struct package_file *file = &fix->files[number];
    bool is_written = !fix->pipeline.dry_run;
    bool is_kept = is_written && !fix->writes_folder;
    file->lists = calloc(fix->catalogs.name_count + 1, sizeof *file->lists);
    file->kept = is_kept ? malloc(after.nbytes + 1) : NULL;
    if (!file->lists || (is_kept && !file->kept))
        return false;
    if (is_kept)
        memcpy(file->kept, after.bytes, after.nbytes);
    if (is_written && !parcel_change_to(&fix->changes[number],
                                        is_kept ? (struct span){file->kept, after.nbytes} : after, is_kept))
        return false;
    return catalog_index_mark(&fix->catalogs, before, &outcome->arena, file->lists);
}

/* One file; *error is set where it could not be read, kept or written. A PDB comes with its image. */
static void run_entry(struct package_fix *fix, size_t number, const struct pipeline_options *of_all,
                      struct outcome *outcome, struct finding *error)
{
    struct pipeline_options pipeline = *of_all;
    struct pdb_given given;
    struct span bytes, after;
    if (fix->parcel.entries[number].is_folder || (fix->pdbs.of && fix->pdbs.is_owned[number]) ||
        !parcel_file(&fix->parcel, number, &outcome->arena, &bytes, error))
        return;
    bool is_text = fix->changes[number].fate == PARCEL_REPLACE; /* an INF, decided before */
    bool has_pdb = fix_package_read_pdb(fix, number, &outcome->arena, &given, error);
    if (error->level != LEVEL_OFF)
        return;
    pipeline.pdb_given = has_pdb ? &given : NULL;
    after = is_text ? fix->changes[number].bytes : treat(fix, number, bytes, &pipeline, outcome);
    if (outcome->was_stopped)
        return;
    if ((is_text || fix->files[number].is_fixed) &&
        !fix_package_note_change(fix, number, bytes, after, outcome)) {
        *error = finding_make(&outcome->arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                              "There was not enough memory for this file.");
        return;
    }
    if ((!fix->temporary || fix_package_stage(fix, number, after, &outcome->arena, error)) && has_pdb)
        (void)fix_package_put_pdb(fix, number, &given, outcome, error);
}

static void run_file(void *context, size_t number, struct ordered *ordered, struct arena_stock *stock)
{
    struct package_fix *fix = context;
    const struct parcel_entry *entry = &fix->parcel.entries[number];
    struct package_file *file = &fix->files[number];
    struct pipeline_options pipeline = fix->pipeline;
    struct image_report none = {0};
    struct outcome outcome;
    struct finding error = {.level = LEVEL_OFF};
    pipeline.stock = stock;
    pipeline_begin(&pipeline, &outcome);
    outcome.path = entry->path;
    outcome.container_path = fix->parcel.path;
    run_entry(fix, number, &pipeline, &outcome, &error);
    if (error.level == LEVEL_ERROR && !outcome.was_stopped) {
        bool is_writing = error.code == HVCI9007_CANNOT_WRITE;
        free((char *)(uintptr_t)file->written.chars);
        free((char *)(uintptr_t)file->not_written.chars);
        outcome.wrote = false;
        outcome.problems.count = 0;
        pipeline_end_with(&outcome, entry->path, &error, is_writing ? EXIT_WRITE : EXIT_INPUT);
        file->stands_in_the_way = true;
        report_file(fix, file, &outcome);
    }
    ordered_hand_over(ordered, number, &none);
    pipeline_release(&outcome);
}

static bool deliver_nothing(void *context, size_t number, const struct image_report *report, bool is_last)
{
    (void)context, (void)number, (void)report, (void)is_last;
    return true;
}

void fix_package_run_files(struct package_fix *fix)
{
    struct ordered_jobs jobs = {
        .count = fix->parcel.count,
        .worker_count = image_run_worker_count(fix->run, fix->parcel.count),
        .stop = interrupt_flag(),
        .context = fix,
        .run = run_file,
        .deliver = deliver_nothing,
    };
    if (jobs.count != 0)
        ordered_run(&jobs);
}
