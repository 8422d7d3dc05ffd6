/* verify_moves.c - the proof for moved images, told from top to bottom.
 * Takes: two images.  Gives: the pieces as differences, with what the proof rests on.
 * Must not: prove an image of a machine that is not decoded. */
#include "verify/verify_moves.h"
#include "verify/verify_checksum.h"
#include "verify/verify_flags.h"
#include "verify/verify_gaps.h"
#include "verify/verify_moved_bytes.h"
#include "verify/verify_moved_headers.h"
#include "verify/verify_moved_kind.h"
#include "verify/verify_moved_rights.h"
#include "verify/verify_references.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"
#include "verify/verify_return_address.h"
#include "verify/verify_slots_taken.h"
#include "verify/verify_table_sections.h"
#include "verify/verify_text_in_code.h"
#include "verify/verify_unlisted.h"

bool verify_is_moved(const struct verify_case *judged)
{
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    struct verify_directory none = {0, 0};
    struct verify_directory old_iat = a->directory_count > DIR_IAT ? a->directories[DIR_IAT] : none;
    struct verify_directory new_iat = b->directory_count > DIR_IAT ? b->directories[DIR_IAT] : none;
    bool is_realigned = a->section_alignment < PAGE_NBYTES && b->section_alignment >= PAGE_NBYTES;
    bool is_appended = b->section_count > a->section_count;
    for (uint32_t i = 0; i < a->section_count && a->section_count == b->section_count; i++)
        is_appended = is_appended || a->sections[i].rva != b->sections[i].rva;
    return is_realigned || (is_appended && a->section_alignment == b->section_alignment) ||
           (is_appended && old_iat.rva != new_iat.rva);
}

/* The new image as it lies in memory: its sections may cut a table. */
static bool flat_view(struct verify_moves *moves, struct verify_image *flat)
{
    enum { FLAT_MAX_NBYTES = 1 << 28 };
    const struct verify_image *image = &moves->judged->new_image;
    struct verify_section *whole = arena_array(moves->judged->arena, 1, sizeof *whole);
    const struct verify_section **by_rva = arena_array(moves->judged->arena, 1, sizeof *by_rva);
    uint64_t end_rva = 0;
    for (uint32_t i = 0; i < image->section_count; i++) {
        uint64_t section_end_rva = (uint64_t)image->sections[i].rva + image->sections[i].bytes.nbytes;
        end_rva = section_end_rva > end_rva ? section_end_rva : end_rva;
    }
    uint32_t first_rva = image->sections[0].rva;
    if (!whole || !by_rva)
        return false;
    if (end_rva > FLAT_MAX_NBYTES || end_rva < first_rva)
        return verify_moves_unproved(moves, UINT32_MAX, "The new image is too large to be looked at.");
    uint8_t *bytes = arena_alloc(moves->judged->arena, end_rva - first_rva + 1);
    if (!bytes)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].bytes.nbytes != 0)
            memcpy(bytes + (image->sections[i].rva - first_rva), image->sections[i].bytes.bytes,
                   image->sections[i].bytes.nbytes);
    uint32_t nbytes = (uint32_t)(end_rva - first_rva);
    *whole = (struct verify_section){
        .rva = first_rva, .virtual_nbytes = nbytes, .memory_nbytes = nbytes, .bytes = {bytes, nbytes}};
    *by_rva = whole;
    *flat = *image;
    flat->sections = whole;
    flat->by_rva = by_rva;
    flat->section_count = 1;
    return true;
}

static bool read_both(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const char *problem = NULL;
    uint64_t problem_foff;
    struct verify_image flat;
    if (!flat_view(moves, &flat) ||
        !verify_tables_read(&judged->old_image, judged->arena, &moves->old_tables) ||
        !verify_tables_read(&flat, judged->arena, &moves->new_tables))
        return false;
    judged->verdict->step_count += moves->old_tables.step_count + moves->new_tables.step_count;
    if (moves->old_tables.problem)
        return verify_moves_unproved(moves, moves->old_tables.problem_rva, "In the old image %s.",
                                     moves->old_tables.problem);
    if (moves->new_tables.problem)
        return verify_refute(judged, verify_spot_rva(judged, moves->new_tables.problem_rva),
                             "In the new image %s (RVA 0x%X).", moves->new_tables.problem,
                             (unsigned)moves->new_tables.problem_rva);
    if (!verify_code_read(&judged->old_image, &moves->old_tables, judged->arena, &moves->code, &problem,
                          &problem_foff))
        return problem ? verify_moves_unproved(moves, UINT32_MAX, "In the old image %s.", problem) : false;
    return verify_map_find(judged, &moves->old_tables, &moves->new_tables, &moves->map) &&
           (moves->map.count != 0 ||
            verify_moves_unproved(moves, UINT32_MAX, "The old image has no content."));
}

static bool inventory(struct verify_moves *moves)
{
    if (!verify_inventory_tables(moves) || !verify_inventory_exceptions(moves) ||
        !verify_inventory_load_config(moves) || !verify_inert_join(moves) || !verify_sort_fields(moves))
        return false;
    moves->table_field_count = moves->field_count;
    return true;
}

/* Neighbours of one distance are one entry in the list. */
static bool explain(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    bool is_flat = judged->old_image.section_alignment < PAGE_NBYTES;
    const char *shift_words = "";
    if (moves->repairs.shift_count != 0)
        shift_words = arena_printf(judged->arena,
                                   "; nothing in a section that was shifted inside its pages needs more "
                                   "alignment than 0x%X bytes",
                                   (unsigned)moves->repairs.shift_align_nbytes);
    const char *why = arena_printf(judged->arena,
                                   "every byte is at its place or in one of %zu known fields that lead where "
                                   "they led: %zu in tables, %llu "
                                   "relocated addresses, %llu code operands. Assumed: no folded address lies "
                                   "farther than 0x%X bytes from "
                                   "what it means%s%s%s",
                                   moves->field_count, moves->table_field_count,
                                   (unsigned long long)moves->relocation_count,
                                   (unsigned long long)moves->reference_count, (unsigned)EDGE_NBYTES,
                                   is_flat ? "; nothing but direct stores writes to sections that the linker "
                                             "marked read-only; the image base "
                                             "is not found at run time"
                                           : "",
                                   is_flat && verify_constants_are_writable(moves)
                                       ? "; constants lie on pages of variables, and can be written as they "
                                         "always could"
                                       : "",
                                   shift_words);
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        const char *name =
            piece->is_slots ? arena_printf(judged->arena, "loader-written part of %s", piece->section->name)
                            : arena_printf(judged->arena, "section %s", piece->section->name);
        uint64_t foff = UINT64_MAX;
        if (piece->delta == 0)
            continue;
        verify_rva_to_foff(&judged->new_image, (uint64_t)((int64_t)piece->rva + piece->delta), 1, &foff);
        if (!verify_explain(
                judged, &(struct verify_difference){
                            .field = arena_printf(judged->arena, "%s (RVA, 0x%X bytes)", name,
                                                  (unsigned)(piece->end_rva - piece->rva)),
                            .file_offset = foff == UINT64_MAX ? judged->new_image.section_table_foff : foff,
                            .old_value = piece->rva,
                            .new_value = (uint64_t)((int64_t)piece->rva + piece->delta),
                            .width_nbytes = 4,
                            .why_allowed = why,
                            .assumed = true,
                        }))
            return false;
    }
    return true;
}

/* What lies behind a call is no distance to anything else, or nothing but slots has another distance. */
static bool judge_return_addresses(struct verify_moves *moves)
{
    uint32_t rva;
    return !moves->map.moves_apart || moves->map.moves_slots_only ||
           !verify_return_address_used(&moves->code, true, &rva) ||
           verify_moves_unproved(
               moves, rva,
               "The instruction at RVA 0x%X computes with a return address; what it reaches is "
               "not followed.",
               (unsigned)rva);
}

bool verify_moved(struct verify_case *judged)
{
    struct verify_moves moves = {.judged = judged,
                                 .budget_count = 16 * judged->old_image.file.nbytes,
                                 .text_budget_count = TEXT_SEARCH_MAX_COUNT};
    bool holds =
        /* 1. The images are of a kind that can be proved; the new one is well formed. */
        verify_moved_kind(&moves) && verify_moved_fixed_headers(&moves) && verify_moved_structure(judged) &&
        /* 2. A guess where everything went. */
        read_both(&moves) &&
        /* ... and what repairs of straddling relocations added. */
        verify_repairs_find(&moves) &&
        /* 3. All fields that hold an address: in tables, relocated, in code. */
        inventory(&moves) && verify_mark_tables(&moves) &&
        verify_gaps_mark(&moves.code, &moves.inert, judged->arena) && verify_edges_begin(&moves) &&
        verify_moved_relocations(&moves) && verify_copies_judge(&moves) && verify_moved_code(&moves) &&
        verify_base_uses(&moves) && verify_moved_unrelocated(&moves) && verify_unlisted(&moves) &&
        verify_slots_taken(&moves) && judge_return_addresses(&moves) &&
        /* 4. Every byte of both, the headers, and what each page allows. */
        verify_moved_bytes(&moves) && verify_repairs_rest(&moves) && verify_moved_headers(&moves) &&
        verify_moved_sections(&moves) && verify_moved_split(&moves) && verify_moved_called(&moves) &&
        verify_checksum(judged) && verify_flags(judged) && explain(&moves) &&
        verify_repairs_explain(&moves) && verify_tell_moves(&moves);
    judged->verdict->step_count += moves.code.step_count;
    /* With another map the bytes might be right: what was found speaks against the guess only. */
    struct verify_verdict *verdict = judged->verdict;
    if (!holds && verdict->result == VERIFY_REFUTED && moves.map.count != 0 && !moves.map.is_certain &&
        !verdict->right_not_shown) {
        verdict->right_not_shown = verdict->meaning_not_shown = true;
        verdict->reason = arena_printf(
            judged->arena, "It is not certain where each section went; with the likeliest places: %s",
            verdict->reason);
    }
    return holds;
}
