/* pipeline_undo.c - what leads back from a repair in place: left before the image is replaced.
 * Takes: an image and the bytes that are to replace it.  Gives: a side file, whole and on the disk.
 * Must not: touch the image, or let a repair go on whose side file could not be left. */
#include "pipeline_parts.h"

#include "base/path_name.h"
#include "undo/undo.h"
#include "version.h"

#include <inttypes.h>

static bool add_fact(struct arena *arena, struct undo_facts *facts, size_t *capacity, const char *what,
                     const char *why)
{
    struct undo_fact *items =
        arena_grow(arena, facts->items, facts->count, capacity, facts->count + 1, sizeof *items);
    if (!items)
        return false;
    facts->items = items;
    facts->items[facts->count++] = (struct undo_fact){what, why};
    return true;
}

static const char *describe_change(struct arena *arena, const struct plan *plan, const struct change *change)
{
    const char *section = change->section ? change->section : "", *blank = change->section ? " " : "";
    const char *field = change->field ? change->field : "field";
    if (change->kind == CHANGE_LAYOUT)
        return arena_printf(arena, "%zu pieces and %" PRIu32 " sections laid out anew",
                            plan->layout ? plan->layout->piece_count - 1 : 0,
                            plan->layout ? plan->layout->section_count : 0);
    if (change->kind == CHANGE_DROP_SIGNATURE)
        return arena_printf(arena, "%" PRIu32 " bytes of signature cut off", change->width_nbytes);
    if (change->kind == CHANGE_CHECKSUM)
        return arena_printf(arena, "%s at file offset 0x%" PRIX64, field, change->file_offset);
    return arena_printf(arena, "%s%s%s at file offset 0x%" PRIX64 ": 0x%0*" PRIX64 " -> 0x%0*" PRIX64,
                        section, blank, field, change->file_offset, (int)(2 * change->width_nbytes),
                        change->old_value, (int)(2 * change->width_nbytes), change->new_value);
}

static bool is_cured(const struct plan *plan, const struct finding *finding)
{
    for (size_t i = 0; i < plan->change_count; i++)
        if (change_is_for(&plan->changes[i], finding))
            return true;
    return false;
}

/* A layout that cures several findings is one change. */
static bool is_told_before(const struct plan *plan, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (plan->changes[i].kind == CHANGE_LAYOUT && plan->changes[number].kind == CHANGE_LAYOUT)
            return true;
    return false;
}

static bool describe(struct outcome *outcome, struct undo_description *description)
{
    struct arena *arena = &outcome->arena;
    const struct plan *plan = &outcome->plan;
    size_t cured_capacity = 0, change_capacity = 0;
    *description = (struct undo_description){.tool_version = HVCIFIX_VERSION,
                                             .image_name = path_last_part(outcome->path)};
    for (size_t i = 0; i < outcome->findings.count; i++) {
        const struct finding *finding = &outcome->findings.items[i];
        if (is_cured(plan, finding) &&
            !add_fact(arena, &description->cured, &cured_capacity,
                      arena_printf(arena, "HVCI%04u: %s", (unsigned)finding->code, finding->message), NULL))
            return false;
    }
    for (size_t i = 0; i < plan->change_count; i++)
        if (!is_told_before(plan, i) &&
            !add_fact(arena, &description->changes, &change_capacity,
                      describe_change(arena, plan, &plan->changes[i]), plan->changes[i].why))
            return false;
    return true;
}

static bool refuse(struct outcome *outcome, const char *reason, const char *cure)
{
    outcome->undo.error =
        finding_make(&outcome->arena, HVCI9094_UNDO_NOT_LEFT, LEVEL_ERROR,
                     "No undo file could be left, so the image was not repaired: %s", reason);
    outcome->undo.error.cure = cure;
    outcome->undo.has_failed = true;
    return false;
}

static bool fail(struct outcome *outcome, const struct finding *error)
{
    outcome->undo.error = *error;
    outcome->undo.has_failed = true;
    return false;
}

static bool fail_memory(struct outcome *outcome)
{
    outcome->arena.exhausted = true; /* whoever asked for acceptance says so */
    return false;
}

/* The records of the file that is there which lead back from this image. Those of an image that is no longer
 * there are not kept: nothing else leads to that image. */
static bool read_kept(struct outcome *outcome, struct span *kept)
{
    struct undo_file file;
    struct undo_image image;
    struct finding error;
    *kept = (struct span){0};
    if (!outcome->undo.had_before)
        return true;
    if (!undo_read(outcome->undo.before, outcome->undo.path, &outcome->arena, &file, &error))
        return outcome->arena.exhausted
                   ? fail_memory(outcome)
                   : refuse(outcome, error.message,
                            "Move that file away if it is not needed, or use --no-undo and keep a copy of "
                            "the image yourself.");
    if (!undo_image_of(outcome->file.bytes, &image))
        return fail_memory(outcome);
    size_t number = undo_find(&file, &image);
    if (number + 1 == UNDO_MOST_RECORDS)
        return refuse(outcome, "the image was repaired in place too often in a row.",
                      "Restore the original and make all repairs at once.");
    if (number == file.record_count)
        return true;
    const uint8_t *end = file.records[number].bytes.bytes + file.records[number].bytes.nbytes;
    *kept = (struct span){outcome->undo.before.bytes, (size_t)(end - outcome->undo.before.bytes)};
    return true;
}

struct undo_check {
    struct outcome *outcome;
    struct span repaired;
};

/* What came back from the disk leads back. */
static bool leads_back(void *context, struct span written)
{
    struct undo_check *check = context;
    struct outcome *outcome = check->outcome;
    struct undo_file file;
    struct span original;
    struct finding error;
    if (!undo_read(written, outcome->undo.path, &outcome->arena, &file, &error) ||
        !undo_apply(&file, file.record_count - 1, check->repaired, outcome->undo.path, &outcome->arena,
                    &original, &error))
        return false;
    return file.record_count != 1 || span_is_equal(original, outcome->file.bytes);
}

/* Where the file goes, and what is there now. */
static bool look(struct outcome *outcome)
{
    struct arena *arena = &outcome->arena;
    struct undo_left *undo = &outcome->undo;
    struct file_content before;
    struct finding error;
    const char *target = file_link_target(outcome->path, arena, &error);
    if (!target)
        return fail(outcome, &error);
    undo->path = arena_printf(arena, "%s" UNDO_SUFFIX, target);
    undo->had_before = !file_is_absent(undo->path);
    if (undo->had_before && !file_read(undo->path, arena, &before, &error))
        return fail(outcome, &error);
    undo->before = undo->had_before ? before.bytes : (struct span){0};
    return !arena->exhausted;
}

bool pipeline_leave_undo(struct outcome *outcome, const struct pipeline_options *options, struct span written)
{
    struct arena *arena = &outcome->arena;
    struct undo_description description;
    struct span kept, record;
    struct finding error;
    outcome->undo = (struct undo_left){0};
    if (!undo_fits(outcome->file.bytes.nbytes, written.nbytes))
        return refuse(outcome, "the original is too large beside what is left of it.",
                      "Write the repaired image to another file (-o OUT), or use --no-undo.");
    if (!look(outcome) || !read_kept(outcome, &kept))
        return false;
    if (!describe(outcome, &description) ||
        !undo_record_make(outcome->file.bytes, written, &description, arena, &record))
        return fail_memory(outcome);
    uint8_t *bytes = arena_alloc_unset(arena, kept.nbytes + record.nbytes);
    if (!bytes)
        return fail_memory(outcome);
    if (kept.nbytes != 0)
        memcpy(bytes, kept.bytes, kept.nbytes);
    memcpy(bytes + kept.nbytes, record.bytes, record.nbytes);
    struct undo_check check = {outcome, written};
    struct file_replacement replacement = {.path = outcome->undo.path,
                                           .bytes = {bytes, kept.nbytes + record.nbytes},
                                           .mode = outcome->file.mode,
                                           .accept = leads_back,
                                           .context = &check,
                                           .stop = options->stop,
                                           .is_relied_on = true};
    enum file_write_result result = file_replace(&replacement, arena, &error);
    if (result == FILE_WRITTEN) {
        outcome->undo.is_left = true;
        outcome->undo.nbytes = replacement.bytes.nbytes;
        return true;
    }
    if (result == FILE_WRITE_FAILED)
        return fail(outcome, &error);
    if (outcome_is_stopped(outcome, options) || arena->exhausted)
        return false;
    return refuse(outcome, "what was written of it does not lead back to the original.",
                  "This is a defect of hvcifix; please report it. Until then use --no-undo.");
}

void pipeline_take_undo_back(struct outcome *outcome)
{
    struct undo_left *undo = &outcome->undo;
    struct finding error;
    if (!undo->is_left)
        return;
    undo->is_left = false;
    struct file_replacement replacement = {
        .path = undo->path, .bytes = undo->before, .mode = outcome->file.mode};
    /* A file that stays does no harm: restore sees that the image is the original. */
    if (undo->had_before)
        (void)file_replace(&replacement, &outcome->arena, &error);
    else
        (void)file_remove(undo->path, &outcome->arena, &error);
}
