/* fix_package.c - fix_package.h: read, decide, repair, write, compare; one call a step.
 * Takes: an item.  Gives: reports.  Must not: write a package of which a repair is missing, unless it was
 * told to. */
#include "cli/fix_package_parts.h"

#include "base/text.h"
#include "cli/image_reports.h"
#include "cli/interrupt.h"
#include "cli/look_inside.h"
#include "package/catalog_request.h"

#include <stdlib.h>

#define KEPT_WORDS "; all other files are byte for byte as they were, which was compared"
static const char *const written_words[] = {
    [PARCEL_FOLDER] = KEPT_WORDS,
    [PARCEL_ZIP] = KEPT_WORDS,
    [PARCEL_CAB] = KEPT_WORDS,
    [PARCEL_CARRIED] =
        "; the others are as they were. What carries them is not built anew: do that with these",
};

bool fix_takes_package(const struct image_run *run, const struct work_item *item,
                       const struct outcome *outcome)
{
    const struct cli_options *options = run->options;
    if (options->verb != VERB_FIX || item->kind == WORK_FOUND)
        return false;
    if (item->kind == WORK_PACKAGE)
        return true;
    return (options->output_path || options->dry_run) &&
           (outcome_is_archive(outcome) || (options->extract && outcome->has_image));
}

static bool read_parcel(struct package_fix *fix, const char *path, enum parcel_kind kind)
{
    struct arena *arena = &fix->outcome->arena;
    struct span file = fix->outcome->file.bytes;
    const struct image *image = fix->outcome->has_image ? &fix->outcome->image : NULL;
    struct finding error;
    bool is_read = kind == PARCEL_FOLDER ? parcel_read_folder(path, arena, &fix->parcel, &error)
                   : kind == PARCEL_CARRIED
                       ? parcel_read_carried(path, file, image, arena, &fix->parcel, &error)
                       : parcel_read_archive(path, file, arena, &fix->parcel, &error);
    if (!is_read)
        return fix_package_end_with(fix, &error, EXIT_INPUT);
    fix->changes = arena_array(arena, fix->parcel.count, sizeof *fix->changes);
    fix->files = arena_array(arena, fix->parcel.count, sizeof *fix->files);
    return true;
}

/* What is left of the outcome of the file itself. */
static void begin(struct package_fix *fix, const char *path)
{
    struct outcome *outcome = fix->outcome;
    outcome->path = path;
    outcome->is_package = true;
    outcome->output_path = fix->out;
    outcome->problems.count = outcome->findings.count = 0;
    outcome->remark = NULL;
    outcome->judged = false;
    outcome->status = STATUS_CLEAN;
    outcome->exit_code = EXIT_CLEAN;
}

struct tally {
    size_t file_count, image_count, inside_count, fixed_count, pdb_count, bad_count;
    enum exit_code exit_code; /* of those in the way */
};

static struct tally count_files(struct package_fix *fix)
{
    struct tally tally = {.exit_code = EXIT_CLEAN};
    for (size_t i = 0; i < fix->parcel.count; i++) {
        const struct package_file *file = &fix->files[i];
        if (file->is_reported && (!file->written.chars || !file->not_written.chars))
            fix->outcome->arena.exhausted = true; /* what cannot be said must not pass in silence */
        tally.file_count += !fix->parcel.entries[i].is_folder;
        tally.image_count += file->is_image;
        tally.inside_count += file->has_image_inside;
        tally.fixed_count += file->is_fixed;
        tally.pdb_count += file->is_followed;
        tally.bad_count += file->stands_in_the_way;
        if (file->stands_in_the_way)
            tally.exit_code = exit_code_worse(tally.exit_code, file->exit_code);
    }
    return tally;
}

/* Catalogs that list what has changed. */
static void note_catalogs(struct package_fix *fix, bool is_written)
{
    struct arena *arena = &fix->outcome->arena;
    for (size_t i = 0; i < fix->catalogs.name_count; i++) {
        const char *name;
        if (!fix_package_is_stale(fix, i, &name))
            continue;
        struct text systems = {.arena = arena};
        catalog_request_systems(fix->platforms, &systems);
        struct finding note =
            finding_make(arena, HVCI9056_CATALOG_STALE, LEVEL_NOTE,
                         "The catalog \"%s\" lists \"%s\", which %s, so it %s left out of the new package.",
                         fix->catalogs.names[i], name, is_written ? "was changed" : "would be changed",
                         is_written ? "is" : "would be");
        note.cure =
            arena_printf(arena,
                         "Make a new one from the new package, unpacked: inf2cat /driver:FOLDER /os:%s, "
                         "or makecat with the .cdf file beside the new package; then sign it.",
                         systems.chars ? systems.chars : "");
        if (!finding_add(&fix->outcome->problems, &note))
            return;
    }
}

static void refuse(struct package_fix *fix, const struct tally *tally)
{
    struct finding refusal = finding_make(
        &fix->outcome->arena, HVCI9057_PACKAGE_NOT_WRITTEN, LEVEL_ERROR,
        "%zu of %zu files needed a repair or a look that they did not get, so the package was not written.",
        tally->bad_count, tally->file_count);
    for (size_t i = 0; i < fix->parcel.count; i++)
        if (fix->files[i].stands_in_the_way)
            finding_evidence(&fix->outcome->arena, &refusal, "%s", fix->parcel.entries[i].path);
    refusal.cure = "See what is said of these files; --partial writes the package with them as they are.";
    pipeline_end_with(fix->outcome, fix->parcel.path, &refusal, tally->exit_code);
    fix->outcome->status = STATUS_REFUSED;
}

/* What has become of it. */
static void conclude(struct package_fix *fix, const struct tally *tally, struct span archive)
{
    struct arena *arena = &fix->outcome->arena;
    struct outcome *outcome = fix->outcome;
    bool was_written = fix->out != NULL;
    outcome->wrote = was_written;
    outcome->status = tally->fixed_count != 0 ? STATUS_FIXED : STATUS_CLEAN;
    outcome->exit_code = tally->exit_code;
    outcome->remark =
        arena_printf(arena, "%zu of %zu images %s repaired%s%s%s.", tally->fixed_count, tally->image_count,
                     was_written ? "were" : "can be", fix_package_pdb_words(arena, tally->pdb_count),
                     was_written ? written_words[fix->parcel.kind] : "; nothing was written",
                     was_written ? fix_package_form_words(fix, archive) : "");
    if (was_written && tally->fixed_count != 0)
        outcome->next_step =
            fix->catalogs.name_count != 0
                ? "Make its catalog anew and sign that, then test the package (docs/SIGNING.md)."
                : "Sign the images that were repaired, and test the package (docs/SIGNING.md).";
}

static void finish(struct package_fix *fix, struct span archive)
{
    struct finding error;
    struct tally tally = count_files(fix);
    bool is_refused = tally.bad_count != 0 && !fix->run->options->partial;
    note_catalogs(fix, fix->out && !is_refused);
    if (fix->outcome->arena.exhausted) {
        return;
    } else if (is_refused) {
        refuse(fix, &tally);
    } else if (tally.image_count + tally.inside_count == 0) {
        error = fix_package_without_image(fix);
        (void)fix_package_end_with(fix, &error, EXIT_INPUT);
    } else if (fix->out && !fix_package_write(fix, archive, &error)) {
        enum exit_code exit_code = error.code == HVCI9007_CANNOT_WRITE ? EXIT_WRITE : EXIT_INPUT;
        fix->outcome->was_stopped = atomic_load(interrupt_flag());
        (void)fix_package_end_with(fix, &error, exit_code);
    } else {
        fix->temporary = NULL;
        conclude(fix, &tally, archive);
        if (fix->out && !fix_package_request_catalogs(fix, &error)) {
            (void)finding_add(&fix->outcome->problems, &error);
            fix->outcome->exit_code = exit_code_worse(fix->outcome->exit_code, EXIT_WRITE);
        }
    }
}

static void hand_over_reports(struct package_fix *fix, struct ordered *ordered, size_t number)
{
    for (size_t i = 0; fix->files && i < fix->parcel.count; i++) {
        struct package_file *file = &fix->files[i];
        if (file->is_reported && !fix->outcome->was_stopped)
            (void)ordered_hand_over_part(ordered, number,
                                         fix->outcome->wrote ? &file->written : &file->not_written);
        free((char *)(uintptr_t)file->written.chars);
        free((char *)(uintptr_t)file->not_written.chars);
        free(file->lists);
        free(file->kept);
    }
}

void fix_package(const struct image_run *run, const struct work_item *item, size_t number,
                 struct ordered *ordered, struct outcome *outcome)
{
    struct span file = outcome->file.bytes;
    enum parcel_kind kind = item->kind == WORK_PACKAGE ? PARCEL_FOLDER
                            : run->options->extract    ? PARCEL_CARRIED
                                                       : parcel_kind_of(file);
    bool is_dry = run->options->dry_run;
    struct package_fix fix = {.run = run,
                              .outcome = outcome,
                              .out = is_dry ? NULL : run->options->output_path,
                              .parcel = {.kind = kind},
                              .pipeline = run->pipeline};
    struct finding error;
    fix.pipeline.in_memory = true;
    fix.pipeline.only_kernel = true;
    fix.pipeline.spares_signed = true;
    fix.pipeline.catalogs = &fix.catalogs;
    fix.pipeline.output_path = NULL;
    begin(&fix, item->path);
    fix_package_choose_form(&fix, file);
    bool is_ready = fix_package_is_possible(&fix, item->path) && read_parcel(&fix, item->path, kind) &&
                    fix.changes && fix.files && fix_package_read_texts(&fix) && fix_package_find_pdbs(&fix);
    if (is_ready && !outcome->arena.exhausted) {
        if (fix_package_begin_output(&fix, &error)) {
            fix_package_run_files(&fix);
            outcome->was_stopped = atomic_load(interrupt_flag());
            if (!outcome->was_stopped)
                finish(&fix, file);
        } else {
            (void)fix_package_end_with(&fix, &error, EXIT_WRITE);
        }
    }
    if (fix.temporary)
        fix_package_give_up_output(&fix);
    if (!outcome->wrote && outcome->status == STATUS_FIXED && fix.out)
        outcome->status = STATUS_ERROR;
    hand_over_reports(&fix, ordered, number);
    outcome->has_image = false;
}

void fix_looks_inside(const struct image_run *run, struct outcome *outcome)
{
    if (!outcome->has_image || outcome->was_stopped)
        return;
    size_t problem_count = outcome->problems.count;
    bool found;
    if (!fix_package_judge_inside(run, outcome, outcome->path, outcome->file.bytes, &outcome->image, &found))
        outcome->arena.exhausted = true;
    if (outcome->problems.count == problem_count)
        return;
    outcome->exit_code = exit_code_worse(outcome->exit_code, EXIT_FINDINGS);
    if (outcome->status == STATUS_CLEAN)
        outcome->status = STATUS_FINDINGS;
}
