/* restore.c - the story of one restored image, from its side file to the original.
 * Takes: a path.  Gives: struct restore_outcome.  Must not: print, or replace an image by anything but the
 * original that the side file names by its digest. */
#include "restore.h"

#include "base/pe_format.h"
#include "image/image.h"
#include "restore_pdb.h"

/* The ends. All return false, so that a step can end the sequence with `return`. */
static bool end(struct restore_outcome *outcome, enum restore_result result, enum exit_code exit_code)
{
    outcome->result = result;
    outcome->exit_code = exit_code;
    return false;
}

static bool end_with(struct restore_outcome *outcome, const struct finding *problem,
                     enum restore_result result, enum exit_code exit_code)
{
    finding_add(&outcome->problems, problem); /* without memory for it the report says so */
    return end(outcome, result, exit_code);
}

static bool end_without_memory(struct restore_outcome *outcome)
{
    outcome->arena.exhausted = true;
    return end(outcome, RESTORE_FAILED, EXIT_INPUT);
}

static bool is_stopped(struct restore_outcome *outcome, const struct restore_options *options)
{
    outcome->was_stopped = options->stop && atomic_load(options->stop);
    return outcome->was_stopped;
}

/* Who names the side file means the image. */
static const char *image_path(const char *path, struct arena *arena)
{
    size_t length = strlen(path), suffix_length = strlen(UNDO_SUFFIX);
    if (length <= suffix_length || strcmp(path + length - suffix_length, UNDO_SUFFIX) != 0)
        return path;
    const char *image = arena_copy_text(arena, path, length - suffix_length);
    return image ? image : path;
}

/* An image that was signed after the repair, as it was before: the signature stands behind everything else,
 * and the headers know of it in two fields. Whether that is the repaired image its digest says. False when it
 * cannot be, or memory ran out. */
static bool without_signature(struct span file, uint32_t repaired_nbytes, struct arena *arena,
                              struct span *unsigned_file)
{
    struct image image;
    struct finding error;
    if (repaired_nbytes >= file.nbytes || !image_read(file, arena, &image, &error) || !image.is_signed)
        return false;
    const struct directory *table = image_directory(&image, DIR_SECURITY);
    uint64_t checksum_foff = (uint64_t)image.opt_foff + OPT_CHECK_SUM;
    /* What stands between is there to begin the table at a multiple of eight bytes. */
    if (!table || table->rva < repaired_nbytes || table->rva - repaired_nbytes > 7 ||
        (uint64_t)table->rva + table->nbytes != file.nbytes ||
        !range_fits(repaired_nbytes, table->entry_foff, DIRECTORY_ENTRY_NBYTES) ||
        !range_fits(repaired_nbytes, checksum_foff, 4))
        return false;
    uint8_t *bytes = arena_alloc_unset(arena, repaired_nbytes);
    if (!bytes)
        return false;
    memcpy(bytes, file.bytes, repaired_nbytes);
    memset(bytes + table->entry_foff, 0, DIRECTORY_ENTRY_NBYTES);
    *unsigned_file = (struct span){bytes, repaired_nbytes};
    store_u32(bytes + checksum_foff, pe_checksum(*unsigned_file, checksum_foff));
    return true;
}

/* The record that leads back from the image, or from what it was before it was signed; *from is that. */
static size_t find_record(struct restore_outcome *outcome, const struct undo_file *file, struct span bytes,
                          struct span *from)
{
    size_t number = undo_find(file, &outcome->image);
    *from = bytes;
    for (size_t i = file->record_count; number == file->record_count && i-- > 0;) {
        struct undo_image image;
        if (without_signature(bytes, file->records[i].repaired.nbytes, &outcome->arena, from) &&
            undo_image_of(*from, &image) && undo_image_is_equal(&image, &file->records[i].repaired)) {
            outcome->was_signed = true;
            number = i;
        }
    }
    return number;
}

/* What is written is what the side file names. */
static bool is_original(void *context, struct span written)
{
    const struct restore_outcome *outcome = context;
    struct undo_image image;
    return undo_image_of(written, &image) && undo_image_is_equal(&image, &outcome->original);
}

/* The image is the original; its PDB follows. Then the side file has done its work. One that stays is said to
 * stay: a second restore takes it away. */
static bool clear_up(struct restore_outcome *outcome, struct span original)
{
    struct finding error;
    if (!restore_pdb(outcome, original, &error)) {
        if (outcome->arena.exhausted)
            return end(outcome, outcome->result, EXIT_INPUT);
        error.cure =
            "The image is the original; its PDB is not. Close the program that holds it (a debugger, "
            "say) and restore again: the undo file is still there.";
        finding_add(&outcome->problems, &error);
        return end(outcome, outcome->result, error.code == HVCI9007_CANNOT_WRITE ? EXIT_WRITE : EXIT_INPUT);
    }
    outcome->undo_removed = file_remove(outcome->undo_path, &outcome->arena, &error);
    if (outcome->undo_removed)
        return true;
    error.cure = "The image is the original. Delete the undo file, or restore again, which does that.";
    finding_add(&outcome->problems, &error);
    outcome->exit_code = EXIT_WRITE;
    return false;
}

static bool refuse_missing(struct restore_outcome *outcome)
{
    struct finding problem = finding_make(
        &outcome->arena, HVCI9090_UNDO_MISSING, LEVEL_ERROR,
        "There is no undo file \"%s\", so nothing leads back to an original.", outcome->undo_path);
    problem.cure = "Put the undo file beside the image under that name, or take the original from a backup. "
                   "\"fix --in-place\" leaves one; \"fix -o\", \"enforce\" and a finished restore do not.";
    return end_with(outcome, &problem, RESTORE_REFUSED, EXIT_INPUT);
}

static bool refuse_other(struct restore_outcome *outcome, const struct undo_file *file)
{
    const struct undo_record *last = &file->records[file->record_count - 1];
    const char *name = last->description.image_name;
    struct finding problem = finding_make(
        &outcome->arena, HVCI9093_UNDO_OTHER_IMAGE, LEVEL_ERROR,
        "The undo file leads back from another image (%s, %u bytes) than the one that is here (%u bytes), so "
        "nothing was changed.",
        name ? name : "without a name", (unsigned)last->repaired.nbytes, (unsigned)outcome->image.nbytes);
    problem.cure = "Put the repaired image back and restore again. If this image was linked anew, the undo "
                   "file is an old one: delete it.";
    return end_with(outcome, &problem, RESTORE_REFUSED, EXIT_FINDINGS);
}

/* The steps in their order. The return value only ends the sequence; outcome says all. */
static bool run(struct restore_outcome *outcome, const struct restore_options *options)
{
    struct arena *arena = &outcome->arena;
    struct file_content image, side;
    struct undo_file file;
    struct span from, original;
    struct finding error;

    const char *target = file_link_target(outcome->path, arena, &error);
    if (!target || !file_read(outcome->path, arena, &image, &error))
        return end_with(outcome, &error, RESTORE_FAILED, EXIT_INPUT);
    outcome->undo_path = arena_printf(arena, "%s" UNDO_SUFFIX, target);
    if (!file_read(outcome->undo_path, arena, &side, &error))
        return file_is_absent(outcome->undo_path) ? refuse_missing(outcome)
                                                  : end_with(outcome, &error, RESTORE_FAILED, EXIT_INPUT);
    if (!undo_read(side.bytes, outcome->undo_path, arena, &file, &error))
        return end_with(outcome, &error, RESTORE_REFUSED, EXIT_INPUT);
    if (is_stopped(outcome, options))
        return false;
    /* From here on the side file is whole; whose it is follows. */

    outcome->original = file.records[0].original;
    if (!undo_image_of(image.bytes, &outcome->image))
        return image.bytes.nbytes < UNDO_MOST_NBYTES ? end_without_memory(outcome)
                                                     : refuse_other(outcome, &file);
    if (undo_image_is_equal(&outcome->image, &outcome->original)) {
        end(outcome, RESTORE_NEEDLESS, EXIT_CLEAN);
        return !options->dry_run && !options->output_path && clear_up(outcome, image.bytes);
    }
    size_t number = find_record(outcome, &file, image.bytes, &from);
    if (arena->exhausted)
        return end_without_memory(outcome);
    if (number == file.record_count)
        return refuse_other(outcome, &file);
    outcome->step_count = number + 1;
    if (!undo_apply(&file, number, from, outcome->undo_path, arena, &original, &error))
        return end_with(outcome, &error, RESTORE_REFUSED, EXIT_INPUT);
    if (is_stopped(outcome, options))
        return false;
    /* From here on the original is there, in memory, and its digest is right. */

    if (options->dry_run)
        return end(outcome, RESTORE_POSSIBLE, EXIT_CLEAN);
    struct file_replacement replacement = {.path =
                                               options->output_path ? options->output_path : outcome->path,
                                           .bytes = original,
                                           .mode = image.mode,
                                           .expected = options->output_path ? NULL : &image.state,
                                           .accept = is_original,
                                           .context = outcome,
                                           .stop = options->stop,
                                           .is_relied_on = true}; /* the undo file goes then */
    enum file_write_result result = file_replace(&replacement, arena, &error);
    if (result == FILE_NOT_ACCEPTED && is_stopped(outcome, options))
        return false;
    if (result == FILE_NOT_ACCEPTED)
        return end_without_memory(outcome); /* the platform gave no digest */
    if (result == FILE_WRITE_FAILED)
        return end_with(outcome, &error, RESTORE_FAILED, EXIT_WRITE);
    end(outcome, RESTORE_DONE, EXIT_CLEAN);
    return !options->output_path && clear_up(outcome, original);
}

void restore_run(const char *path, const struct restore_options *options, struct restore_outcome *outcome)
{
    *outcome = (struct restore_outcome){.result = RESTORE_FAILED, .exit_code = EXIT_INPUT};
    arena_init(&outcome->arena, NULL);
    outcome->problems.arena = &outcome->arena;
    outcome->path = image_path(path, &outcome->arena);
    if (!is_stopped(outcome, options))
        (void)run(outcome, options);
}

void restore_release(struct restore_outcome *outcome)
{
    arena_free(&outcome->arena);
}
