/* pipeline_pdb.c - see pipeline_pdb.h. The order of writing: the PDB that is replaced is kept aside, the new
 * PDB is put in its place, then the image. Ended in between, image and PDB differ in their GUID, which no
 * debugger overlooks, and the next run finds the PDB that was kept. */
#include "pipeline_parts.h"

#include "io/digest.h"
#include "verify/verify_pdb.h"

/* Does a layout put anything where a symbol could name it elsewhere? */
static bool moves_something(const struct layout *layout)
{
    if (!layout || !layout->moves)
        return false;
    if (layout->straddles && layout->straddles->copy_count != 0)
        return true;
    for (size_t i = 0; i < layout->piece_count; i++)
        if (layout->pieces[i].new_rva != layout->pieces[i].old_rva &&
            layout->pieces[i].kind != PIECE_RELOCATIONS)
            return true;
    return false;
}

static bool fail(struct outcome *outcome, const struct finding *error)
{
    outcome->pdb.error = *error;
    outcome->pdb.has_error = true;
    return false;
}

static bool cannot_follow(struct outcome *outcome, const char *what, const char *cure)
{
    struct finding error = finding_make(&outcome->arena, HVCI9082_PDB_CANNOT_FOLLOW, LEVEL_ERROR, "%s", what);
    error.cure = cure;
    return fail(outcome, &error);
}

bool pipeline_pdb_find(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    const char *why = NULL;
    pdb->has_codeview = codeview_read(&outcome->image, &outcome->arena, &pdb->codeview, &why);
    if (options->pdb_wish == PDB_NONE || options->pdb_wish == PDB_KEEP_ID || options->in_memory)
        return true;
    if (options->pdb_wish == PDB_NAMED && (!pdb->has_codeview || why)) {
        struct finding error =
            finding_make(&outcome->arena, HVCI9081_PDB_OTHER_IMAGE, LEVEL_ERROR,
                         "The PDB cannot be matched with the image: %s.", why ? why : "the image names none");
        error.cure = "Link with /DEBUG, so that the image names its PDB; or repair without one (--no-pdb).";
        return outcome_end_with_problem(outcome, &error, STATUS_REFUSED, EXIT_FINDINGS);
    }
    if (pdb->has_codeview && !why)
        pipeline_pdb_search(outcome, options->pdb_path);
    if (why)
        pdb->why_not = arena_printf(&outcome->arena, "It cannot be matched: %s.", why);
    if (options->pdb_wish == PDB_NAMED && !pdb->is_usable) {
        struct finding error = pdb->error;
        if (!pdb->why_not) {
            error = finding_make(&outcome->arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                                 "There is no file \"%s\".", options->pdb_path);
            error.cure = "Check the path of --pdb.";
        }
        bool is_input = error.code == HVCI9006_CANNOT_READ;
        return outcome_end_with_problem(outcome, &error, is_input ? STATUS_ERROR : STATUS_REFUSED,
                                        is_input ? EXIT_INPUT : EXIT_FINDINGS);
    }
    return true;
}

/* The same input gives the same GUID: the first half of the digest of the new image with the old one in it,
 * marked as a GUID of one's own making (RFC 9562, version 8). PDBs with and without private symbols get the
 * same one. */
static bool make_guid(struct outcome *outcome, uint8_t *guid)
{
    static const char purpose[] = "hvcifix PDB identity 1";
    uint8_t digest[DIGEST_MOST_NBYTES];
    struct span parts[] = {{(const uint8_t *)purpose, sizeof purpose},
                           {outcome->output.bytes, outcome->output.nbytes}};
    if (!digest_parts(DIGEST_SHA256, parts, 2, digest))
        return cannot_follow(outcome, "The system computes no SHA-256, of which the new GUID is made.",
                             "Repair without a PDB (--no-pdb).");
    memcpy(guid, digest, PDB_GUID_NBYTES);
    guid[7] = (uint8_t)((guid[7] & 0x0F) | 0x80); /* the third field is stored with its low byte first */
    guid[8] = (uint8_t)((guid[8] & 0x3F) | 0x80);
    return true;
}

static bool put_guid(struct outcome *outcome, const uint8_t *guid)
{
    const struct image *image = &outcome->image;
    const struct outcome_pdb *pdb = &outcome->pdb;
    struct output *output = &outcome->output;
    uint32_t foff;
    if (!layout_map_foff(outcome->plan.layout, pdb->codeview.guid_foff, &foff) ||
        !range_fits(output->nbytes, foff, PDB_GUID_NBYTES) ||
        memcmp(output->bytes + foff, pdb->codeview.identity.guid, PDB_GUID_NBYTES) != 0)
        return cannot_follow(outcome,
                             "The record that names the PDB did not come into the new image as it was.",
                             "Repair without a PDB (--no-pdb).");
    memcpy(output->bytes + foff, guid, PDB_GUID_NBYTES);
    uint64_t checksum_foff = image->opt_foff + (uint64_t)OPT_CHECK_SUM;
    store_u32(output->bytes + checksum_foff,
              pe_checksum((struct span){output->bytes, output->nbytes}, checksum_foff));
    return true;
}

/* The plan's layout in the words of the PDB. False when memory ran out. */
static bool describe_moves(struct outcome *outcome, struct pdb_move *move)
{
    const struct layout *layout = outcome->plan.layout;
    const struct straddle_repair *repair = layout->straddles;
    size_t copy_count = repair ? repair->copy_count : 0;
    struct pdb_moved_range *pieces = arena_array(&outcome->arena, layout->piece_count, sizeof *pieces);
    struct pdb_moved_range *copies = arena_array(&outcome->arena, copy_count + 1, sizeof *copies);
    if (!pieces || !copies)
        return false;
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        bool is_nowhere = piece->kind == PIECE_HEADERS || piece->kind == PIECE_RELOCATIONS;
        pieces[i] = (struct pdb_moved_range){piece->old_rva, piece->nbytes, is_nowhere ? 0 : piece->new_rva};
    }
    for (size_t i = 0; i < copy_count; i++) {
        const struct code_copy *copy = &repair->copies[i];
        copies[i] = (struct pdb_moved_range){copy->old_rva, copy->nbytes, repair->code_rva + copy->at};
        if (copy->comes_back)
            copies[i].nbytes += JUMP_NBYTES;
    }
    move->pieces = pieces;
    move->piece_count = layout->piece_count;
    move->copies = copies;
    move->copy_count = copy_count;
    return true;
}

bool pipeline_pdb_renew(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct pdb_move move = {0};
    struct image image;
    struct finding error;
    bool moves = moves_something(outcome->plan.layout);
    pdb->renews = false;
    if (moves && options->pdb_wish == PDB_KEEP_ID && pdb->has_codeview)
        return cannot_follow(
            outcome,
            "The repair moves parts of the image, so its PDB cannot stay valid as it is, which "
            "--keep-pdb-id asks for.",
            "Leave the option out: then the PDB is written anew (--pdb names it).");
    if (!moves || !pdb->is_usable)
        return true;
    struct span emitted = {outcome->output.bytes, outcome->output.nbytes};
    if (!make_guid(outcome, move.guid))
        return false;
    if (!describe_moves(outcome, &move) || !image_read(emitted, &outcome->arena, &image, &error) ||
        !span_part(emitted, image.section_table_foff, (uint64_t)image.section_count * SECTION_HEADER_NBYTES,
                   &move.section_table))
        return cannot_follow(outcome, "The section table of the new image cannot be read.", "Report this.");
    if (!pdb_move(&pdb->pdb, &move, &outcome->arena, &pdb->new_file, &error)) {
        if (options->pdb_wish == PDB_NAMED || error.code == HVCI9008_OUT_OF_MEMORY)
            return fail(outcome, &error);
        pdb->is_usable = false;
        pdb->why_not = error.message;
        return true;
    }
    pdb->renews = true;
    return put_guid(outcome, move.guid) && pipeline_pdb_name(outcome, options);
}

/* Asks the verifier about the PDB that was read back. */
struct pdb_acceptance {
    struct outcome *outcome;
    struct span new_image;
    const char *reason;
};

static bool accept_pdb(void *context, struct span written)
{
    struct pdb_acceptance *acceptance = context;
    struct outcome *outcome = acceptance->outcome;
    struct verify_pdb_pair pair = {outcome->pdb.file.bytes, written, outcome->file.bytes,
                                   acceptance->new_image, &outcome->verdict};
    return verify_pdb(&pair, &outcome->arena, &acceptance->reason);
}

static bool keep_old(struct outcome *outcome)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error;
    struct file_replacement kept = {.path = pdb->kept_path, .bytes = pdb->file.bytes, .mode = pdb->file.mode};
    /* What was kept for the repair before this one is the linker's; its PDB is not. */
    if (!pdb->replaces || (pdb_is_rewritten(&pdb->pdb) && !file_is_absent(pdb->kept_path)))
        return true;
    if (file_replace(&kept, &outcome->arena, &error) != FILE_WRITTEN)
        return fail(outcome, &error);
    pdb->wrote_kept = true;
    return true;
}

bool pipeline_pdb_write(struct outcome *outcome, const struct pipeline_options *options,
                        struct span new_image)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct pdb_acceptance acceptance = {outcome, new_image, NULL};
    struct finding error;
    if (!pdb->renews)
        return true;
    bool is_accepted = options->dry_run && accept_pdb(&acceptance, pdb->new_file);
    if (options->dry_run && is_accepted)
        return true;
    if (!options->dry_run) {
        struct file_replacement replacement = {.path = pdb->new_path,
                                               .bytes = pdb->new_file,
                                               .mode = pdb->file.mode,
                                               .expected = pdb->replaces ? &pdb->file.state : NULL,
                                               .accept = accept_pdb,
                                               .context = &acceptance,
                                               .stop = options->stop};
        if (!keep_old(outcome))
            return false;
        switch (file_replace(&replacement, &outcome->arena, &error)) {
        case FILE_WRITTEN:
            pdb->wrote = true;
            return true;
        case FILE_WRITE_FAILED:
            pipeline_pdb_take_back(outcome);
            return fail(outcome, &error);
        case FILE_NOT_ACCEPTED:
            pipeline_pdb_take_back(outcome);
            break;
        }
    }
    if (outcome_is_stopped(outcome, options) || outcome->arena.exhausted)
        return false;
    error = finding_make(&outcome->arena, HVCI9030_REPAIR_REFUTED, LEVEL_ERROR,
                         "The new PDB was not accepted by the verifier, so nothing was written: %s",
                         acceptance.reason ? acceptance.reason : "it could not be read.");
    error.cure = "This is a defect of hvcifix. Please report it; --no-pdb repairs the image without its PDB.";
    return fail(outcome, &error);
}

void pipeline_pdb_take_back(struct outcome *outcome)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    struct finding error;
    if (pdb->wrote && pdb->replaces) {
        struct file_replacement old = {
            .path = pdb->new_path, .bytes = pdb->file.bytes, .mode = pdb->file.mode};
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

static const char *remark_of(struct outcome *outcome, const struct pipeline_options *options)
{
    const struct outcome_pdb *pdb = &outcome->pdb;
    struct arena *arena = &outcome->arena;
    if (!pdb->has_codeview || !moves_something(outcome->plan.layout))
        return NULL;
    if (pdb->renews && pdb->wrote_kept)
        return arena_printf(arena, "The PDB follows the new layout: \"%s\"; what it was is kept as \"%s\".",
                            pdb->new_path, pdb->kept_path);
    if (pdb->renews)
        return arena_printf(arena, "The PDB %s the new layout: \"%s\"; debuggers look for the name \"%s\".",
                            options->dry_run ? "would follow" : "follows", pdb->new_path,
                            pdb->codeview.file_name);
    if (options->pdb_wish == PDB_NONE)
        return NULL;
    if (pdb->why_not)
        return arena_printf(
            arena,
            "The PDB \"%s\" was left as it is, and with it a debugger shows wrong names for what "
            "moved. %s",
            pdb->path ? pdb->path : pdb->codeview.file_name, pdb->why_not);
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
    if (pdb->wrote_kept && options->enforces && file_remove(pdb->kept_path, &outcome->arena, &error))
        pdb->wrote_kept = false; /* a build makes it again */
    const char *remark = remark_of(outcome, options);
    if (remark)
        outcome->remark =
            outcome->remark ? arena_printf(&outcome->arena, "%s %s", outcome->remark, remark) : remark;
}
