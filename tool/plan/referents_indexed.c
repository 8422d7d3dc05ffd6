/* referents_indexed.c - operands with an index: which array do they mean?
 * Takes: a reference, the pieces and what is known of the index.  Gives: a piece, or that it may be another.
 * Must not: take the place that an address falls in for the array. */
#include "code/index_range.h"
#include "plan/referents.h"

/* The piece that holds all of the bytes, and not only the fill behind it. */
static const struct piece *piece_of_bytes(const struct layout *layout, int64_t first, int64_t end)
{
    if (first < 0 || end > UINT32_MAX || first >= end)
        return NULL;
    const struct piece *piece = layout_piece_at(layout, (uint32_t)first);
    bool is_inside = piece->kind != PIECE_HEADERS && first >= piece->old_rva && end <= piece_end_rva(piece);
    return is_inside ? piece : NULL;
}

const struct piece *referents_indexed_piece(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    struct index_range range;
    if (ref->source != SOURCE_CODE || ref->encoding != REF_VA || rewrite->image->is_64 ||
        !index_range_find(rewrite->image, rewrite->code, choice->decoder, &rewrite->destinations.any,
                          code_instruction_begin(rewrite->code, ref->site_rva), &range) ||
        range.nbytes == 0)
        return NULL;
    uint32_t first = ref->target + (uint32_t)(range.low * range.scale);
    uint64_t end = (uint64_t)first + (uint64_t)(range.high - range.low) * range.scale + range.nbytes;
    return piece_of_bytes(rewrite->layout, first, (int64_t)end);
}

const struct piece *referents_accessed_piece(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    int64_t first, end;
    if (ref->source != SOURCE_CODE || (ref->encoding != REF_VA && ref->encoding != REF_PCREL) ||
        (ref->flags & REF_FLAG_CODE_TARGET) ||
        !address_first_accesses(rewrite->image, rewrite->code, choice->decoder, &rewrite->destinations.any,
                                ref->site_rva, &choice->steps_left, &first, &end))
        return NULL;
    return piece_of_bytes(rewrite->layout, ref->target + first, ref->target + end);
}

bool referents_index_is_wide(struct referents *choice, const struct ref *ref)
{
    enum { CHARACTER_NBYTES = 2 };
    const struct rewrite *rewrite = choice->rewrite;
    if (ref->source != SOURCE_CODE || ref->encoding != REF_VA || (ref->flags & REF_FLAG_CODE_TARGET))
        return false;
    uint32_t begin = code_instruction_begin(rewrite->code, ref->site_rva);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    struct instruction instruction;
    return decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &instruction) && instruction.is_legacy &&
           ref->site_rva == begin + instruction.disp_offset && instruction.base == NO_REGISTER &&
           instruction.index != NO_REGISTER && instruction.scale > CHARACTER_NBYTES;
}

const struct piece *referents_only_data(const struct referents *choice)
{
    const struct layout *layout = choice->rewrite->layout;
    const struct piece *meant = NULL;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->kind == PIECE_RELOCATIONS || !edges_has_data(choice->edges, piece) ||
            table_fills_section_at(choice->rewrite->image, piece->old_rva))
            continue;
        if (meant && piece_delta(meant) != piece_delta(piece))
            return NULL;
        meant = piece;
    }
    return meant;
}

/* Data that code may index: not what is executed, nor what leaves as slots. */
static bool may_hold_arrays(const struct referents *choice, const struct piece *piece)
{
    const struct rewrite *rewrite = choice->rewrite;
    if (table_fills_section_at(choice->rewrite->image, piece->old_rva))
        return false;
    if (piece->kind == PIECE_DATA)
        return true;
    return (piece->kind == PIECE_SECTION || piece->kind == PIECE_SHIFTED) && piece->nbytes != 0 &&
           !(rewrite->image->sections[piece->section].characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) &&
           edges_has_data(choice->edges, piece);
}

/* Data that moves otherwise than `own` lies within reach_nbytes of t. */
static bool is_other_data_near(const struct referents *choice, const struct piece *own, uint32_t t,
                               uint32_t reach_nbytes)
{
    const struct layout *layout = choice->rewrite->layout;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint64_t gap_nbytes = piece->old_rva > t          ? piece->old_rva - t
                              : t >= piece_end_rva(piece) ? t - piece_end_rva(piece)
                                                          : 0;
        if (piece_delta(piece) != piece_delta(own) && gap_nbytes < reach_nbytes &&
            may_hold_arrays(choice, piece))
            return true;
    }
    return false;
}

bool referents_may_mean_far_data(struct referents *choice, const struct ref *ref)
{
    enum { FAR_FOLD_NBYTES = 0x10000, FAR_MEMBER_NBYTES = 0x1000 };
    const struct rewrite *rewrite = choice->rewrite;
    const struct piece *own = layout_piece_at(rewrite->layout, ref->target);
    bool is_taken = ref->access == ACCESS_ADDRESS && (ref->encoding == REF_VA || ref->encoding == REF_PCREL);
    bool is_operand = !is_taken && !rewrite->image->is_64 && ref->encoding == REF_VA;
    bool is_slot = own->kind == PIECE_IAT && ref->target - own->old_rva < own->nbytes;
    if ((!choice->parts_move && !is_slot) || ref->source != SOURCE_CODE || (!is_taken && !is_operand) ||
        (ref->flags & REF_FLAG_CODE_TARGET) || (!may_hold_arrays(choice, own) && !is_slot) ||
        !is_other_data_near(choice, own, ref->target, FAR_FOLD_NBYTES) || referents_is_direct(choice, ref))
        return false;
    if (is_operand)
        return true;
    struct address_uses uses = referents_uses_of(choice, ref);
    /* Nobody takes the address of a slot but to read it; what is folded falls on one by chance. */
    if ((uses.is_as_is && !is_slot) || uses.is_decided)
        return false;
    uint32_t reach = uses.is_compared || rewrite->image->is_64 ? FAR_MEMBER_NBYTES : FAR_FOLD_NBYTES;
    return is_other_data_near(choice, own, ref->target, reach);
}
