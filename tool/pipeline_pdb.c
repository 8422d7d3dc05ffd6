/* pipeline_pdb.c - see pipeline_pdb.h: which PDB it is, the new GUID, and the new PDB in memory. */
#include "pipeline_parts.h"

#include "io/digest.h"

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

/* A PDB may be many times the image, and one beside it matters only where names move or are asked for. One
 * that was named is read in any case: that it is none, or another's, is what one wants to know. */
static bool is_pdb_needed(const struct outcome *outcome, const struct pipeline_options *options)
{
    return options->pdb_wish == PDB_NAMED || options->names_symbols || moves_something(outcome->plan.layout);
}

bool pipeline_pdb_find(struct outcome *outcome, const struct pipeline_options *options)
{
    struct outcome_pdb *pdb = &outcome->pdb;
    const char *why = NULL;
    if (pdb->was_looked_for || !is_pdb_needed(outcome, options))
        return true;
    pdb->was_looked_for = true;
    pdb->has_codeview = codeview_read(&outcome->image, &outcome->arena, &pdb->codeview, &why);
    if (options->pdb_wish == PDB_NONE || options->pdb_wish == PDB_KEEP_ID ||
        (options->in_memory && !options->pdb_given))
        return true;
    if (options->pdb_wish == PDB_NAMED && (!pdb->has_codeview || why)) {
        struct finding error =
            finding_make(&outcome->arena, HVCI9081_PDB_OTHER_IMAGE, LEVEL_ERROR,
                         "The PDB cannot be matched with the image: %s.", why ? why : "the image names none");
        error.cure = "Link with /DEBUG, so that the image names its PDB; or repair without one (--no-pdb).";
        return outcome_end_with_problem(outcome, &error, STATUS_REFUSED, EXIT_FINDINGS);
    }
    if (options->pdb_given && pdb->has_codeview && !why)
        pipeline_pdb_take_given(outcome, options->pdb_given);
    else if (pdb->has_codeview && !why)
        pipeline_pdb_search(outcome, options->pdb_path);
    if (pdb->has_error)
        return outcome_end_with_problem(outcome, &pdb->error, STATUS_ERROR, EXIT_INPUT);
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
    pdb->moves = moves_something(outcome->plan.layout);
    pdb->renews = false;
    if (pdb->moves && options->pdb_wish == PDB_KEEP_ID && pdb->has_codeview)
        return cannot_follow(
            outcome,
            "The repair moves parts of the image, so its PDB cannot stay valid as it is, which "
            "--keep-pdb-id asks for.",
            "Leave the option out: then the PDB is written anew (--pdb names it).");
    if (!pdb->moves || !pdb->is_usable)
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
    pdb->new_path = pdb->path;
    return put_guid(outcome, move.guid) && (options->in_memory || pipeline_pdb_name(outcome, options));
}
