/* pipeline_pdb_write.c - see pipeline_pdb.h. The order of writing: the PDB that is replaced is kept aside,
 * the new PDB is put in its place, then the image. Ended in between, image and PDB differ in their GUID,
 * which no debugger overlooks, and the next run finds the PDB that was kept. */
#include "pipeline_parts.h"

#include "verify/verify_pdb.h"

static bool fail(struct outcome *outcome, const struct finding *error)
{
    outcome->pdb.error = *error;
    outcome->pdb.has_error = true;
    return false;
}

bool pipeline_pdb_prove(struct outcome *outcome, const struct pipeline_options *options,
                        struct span new_image)
{
    const struct outcome_pdb *pdb = &outcome->pdb;
    struct verify_pdb_pair pair = {pdb->file.bytes, pdb->new_file, outcome->file.bytes, new_image,
                                   &outcome->verdict};
    const char *reason = NULL;
    if (!pdb->renews || verify_pdb(&pair, &outcome->arena, &reason))
        return true;
    if (outcome_is_stopped(outcome, options) || outcome->arena.exhausted)
        return false;
    struct finding error =
        finding_make(&outcome->arena, HVCI9030_REPAIR_REFUTED, LEVEL_ERROR,
                     "The new PDB was not accepted by the verifier, so nothing was written: %s",
                     reason ? reason : "it could not be read.");
    error.cure = "This is a defect of hvcifix. Please report it; --no-pdb repairs the image without its PDB.";
    return fail(outcome, &error);
}

/* What has the new PDB's name now is kept, so that at every moment all PDBs are there. One that a repair has
 * written does not push out what was kept before: that is the linker's. */
static bool keep_old(struct outcome *outcome)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error;
    struct file_replacement kept = {
        .path = pdb->kept_path, .bytes = pdb->before.bytes, .mode = pdb->before.mode, .is_relied_on = true};
    if (!pdb->has_before || pdb->was_kept || span_is_equal(pdb->before.bytes, pdb->new_file) ||
        (pdb->before_is_rewritten && !file_is_absent(pdb->kept_path)))
        return true;
    if (file_replace(&kept, &outcome->arena, &error) != FILE_WRITTEN)
        return fail(outcome, &error);
    pdb->wrote_kept = true;
    return true;
}

bool pipeline_pdb_write(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct file_replacement replacement = {.path = pdb->new_path,
                                           .bytes = pdb->new_file,
                                           .mode = pdb->file.mode,
                                           .expected = pdb->has_before ? &pdb->before.state : NULL,
                                           .stop = options->stop,
                                           .is_relied_on = true};
    struct finding error;
    if (!pdb->renews)
        return true;
    if (!keep_old(outcome))
        return false;
    /* What is written is compared with what was proved. */
    enum file_write_result result = file_replace(&replacement, &outcome->arena, &error);
    pdb->wrote = result == FILE_WRITTEN;
    if (pdb->wrote)
        return true;
    pipeline_pdb_take_back(outcome);
    return result == FILE_WRITE_FAILED && fail(outcome, &error);
}

void pipeline_pdb_take_back(struct outcome *outcome)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error;
    if (pdb->wrote && pdb->has_before) {
        struct file_replacement old = {
            .path = pdb->new_path, .bytes = pdb->before.bytes, .mode = pdb->before.mode};
        if (file_replace(&old, &outcome->arena, &error) != FILE_WRITTEN) {
            finding_add(&outcome->problems, &error); /* what was kept stays there */
            return;
        }
    } else if (pdb->wrote && !file_remove(pdb->new_path, &outcome->arena, &error)) {
        finding_add(&outcome->problems, &error);
    }
    if (pdb->wrote_kept)
        (void)file_remove(pdb->kept_path, &outcome->arena, &error);
    pdb->wrote = pdb->wrote_kept = false;
}

static const char *remark_that_it_stays(struct outcome *outcome)
{
    const struct outcome_pdb *pdb = &outcome->pdb;
    return arena_printf(&outcome->arena,
                        "The PDB \"%s\" was left as it is, and with it a debugger shows wrong names for what "
                        "moved. %s",
                        pdb->path ? pdb->path : pdb->codeview.file_name, pdb->why_not);
}

/* Who writes the package writes the PDB. */
static const char *remark_in_package(struct outcome *outcome, const struct pipeline_options *options)
{
    const struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    if (options->pdb_wish == PDB_NONE)
        return NULL;
    if (pdb->renews && options->pdb_given->other_path)
        return arena_printf(arena,
                            "The PDB in the new package follows the new layout: \"%s\". \"%s\" has the same "
                            "GUID and stays as it is: it fits the old image alone.",
                            pdb->path, options->pdb_given->other_path);
    if (pdb->renews)
        return arena_printf(arena, "The PDB in the new package %s the new layout: \"%s\".",
                            options->dry_run ? "would follow" : "follows", pdb->path);
    if (pdb->why_not)
        return remark_that_it_stays(outcome);
    return arena_printf(
        arena,
        "The PDB that the image names (\"%s\") is not in the package; with it a debugger shows "
        "wrong names for what moved.",
        pdb->codeview.file_name);
}

static const char *remark_of(struct outcome *outcome, const struct pipeline_options *options)
{
    const struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    if (!pdb->has_codeview || !pdb->moves)
        return NULL;
    if (options->in_memory)
        return remark_in_package(outcome, options);
    if (pdb->renews && (pdb->wrote_kept || (pdb->was_kept && pdb->wrote)))
        return arena_printf(
            arena, "The PDB follows the new layout: \"%s\"; what %s is kept as \"%s\".%s", pdb->new_path,
            pdb->replaces || pdb->was_kept ? "it was" : "had that name", pdb->kept_path,
            pdb->was_kept ? " A repair that was ended before its end had kept it there." : "");
    if (pdb->renews)
        return arena_printf(arena, "The PDB %s the new layout: \"%s\"; debuggers look for the name \"%s\".",
                            options->dry_run ? "would follow" : "follows", pdb->new_path,
                            pdb->codeview.file_name);
    if (options->pdb_wish == PDB_NONE)
        return NULL;
    if (pdb->why_not)
        return remark_that_it_stays(outcome);
    return arena_printf(
        arena,
        "The PDB that the image names (\"%s\") is not beside it; with it a debugger shows wrong "
        "names for what moved. --pdb takes it along.",
        pdb->codeview.file_name);
}

void pipeline_pdb_end(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error;
    /* A build, or a repair, makes it again. */
    bool is_needless =
        (pdb->wrote_kept && (pdb->before_is_rewritten || (options->enforces && pdb->replaces))) ||
        (pdb->wrote && pdb->was_kept && options->enforces);
    if (is_needless && file_remove(pdb->kept_path, &outcome->arena, &error))
        pdb->wrote_kept = pdb->was_kept = false;
    const char *remark = remark_of(outcome, options);
    if (remark)
        outcome->remark =
            outcome->remark ? arena_printf(&outcome->arena, "%s %s", outcome->remark, remark) : remark;
}
