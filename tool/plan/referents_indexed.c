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
        !index_range_find(rewrite->image, rewrite->code, choice->decoder, &choice->joins,
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
        !address_first_accesses(rewrite->image, rewrite->code, choice->decoder, &choice->joins, ref->site_rva,
                                &choice->steps_left, &first, &end))
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

/* A section of the linker's own, which code does not index. */
static bool is_table_section(const struct referents *choice, const struct piece *piece)
{
    static const unsigned tables[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_BASERELOC};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct directory *directory = image_directory(choice->rewrite->image, tables[i]);
        if (directory && directory->rva == piece->old_rva)
            return true;
    }
    return false;
}

/* In the gap behind a part that is executed: nothing lies there. */
static bool is_behind_code(const struct referents *choice, uint32_t t)
{
    const struct rewrite *rewrite = choice->rewrite;
    const struct piece *own = layout_piece_at(rewrite->layout, t);
    return own->kind == PIECE_SECTION && t >= piece_end_rva(own) &&
           (rewrite->image->sections[own->section].characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE));
}

const struct piece *referents_only_data(const struct referents *choice)
{
    const struct layout *layout = choice->rewrite->layout;
    const struct piece *meant = NULL;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->kind == PIECE_RELOCATIONS || !edges_has_data(choice->edges, piece) ||
            is_table_section(choice, piece))
            continue;
        if (meant && piece_delta(meant) != piece_delta(piece))
            return NULL;
        meant = piece;
    }
    return meant;
}

/* All data that is known leaves its code. What an index may lead to there is either nothing, or data that is
 * not known, of which more may lie anywhere in code. */
static bool is_in_rest_of_code(const struct referents *choice, uint32_t t)
{
    const struct rewrite *rewrite = choice->rewrite;
    const struct piece *own = layout_piece_at(rewrite->layout, t);
    return rewrite->keeps_distances && own->kind == PIECE_SECTION &&
           (rewrite->image->sections[own->section].characteristics & SCN_MEM_EXECUTE) &&
           !extent_index_at(&choice->jump_tables, t);
}

bool referents_is_folded_into_code(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    uint8_t byte_class = (uint8_t)code_class_at(rewrite->code, ref->target);
    struct span byte;
    /* Zeros may be variables, and what leaves with data is none of the code's fill. */
    bool is_fill = byte_class == BYTE_PADDING &&
                   layout_piece_at(rewrite->layout, ref->target)->kind != PIECE_DATA &&
                   image_bytes_at_rva(rewrite->image, ref->target, 1, &byte) && byte.bytes[0] != 0;
    bool is_in_code = byte_class == BYTE_INSTRUCTION || byte_class == BYTE_INSTRUCTION_TAIL || is_fill ||
                      is_behind_code(choice, ref->target) || is_in_rest_of_code(choice, ref->target);
    if (!is_in_code || !choice->parts_move || ref->source != SOURCE_CODE ||
        (ref->flags & REF_FLAG_CODE_TARGET) || edges_matter(choice->edges, ref->target))
        return false;
    if (ref->access != ACCESS_ADDRESS)
        return ref->encoding == REF_VA && !referents_is_direct(choice, ref);
    if (byte_class == BYTE_INSTRUCTION || ref->encoding == REF_IMAGE_REL)
        return false;
    struct address_uses uses = referents_uses_of(choice, ref);
    return !uses.is_as_is && !uses.is_compared;
}

/* Something leads to the instruction at rva, or execution may not come from the one before it: a filter of
 * structured exceptions lies behind a call that does not return. */
static bool is_label(struct referents *choice, uint32_t rva)
{
    const struct rewrite *rewrite = choice->rewrite;
    struct instruction before;
    uint32_t foff;
    if (!image_rva_to_foff(rewrite->image, rva, 1, &foff) || site_set_has(&choice->labels, foff))
        return true;
    enum byte_class class_before = rva == 0 ? BYTE_UNKNOWN : code_class_at(rewrite->code, rva - 1);
    if (class_before != BYTE_INSTRUCTION && class_before != BYTE_INSTRUCTION_TAIL)
        return true;
    uint32_t begin = code_instruction_begin(rewrite->code, rva - 1);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    return !decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &before) || flow_ends(before.flow) ||
           before.flow == FLOW_BREAK || before.flow == FLOW_CALL || before.flow == FLOW_CALL_INDIRECT ||
           before.operation == OP_NOP || instruction_is_fill(&before);
}

bool referents_is_pointer_to_no_label(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    enum byte_class at_site = code_class_at(rewrite->code, ref->site_rva),
                    at_target = code_class_at(rewrite->code, ref->target);
    bool is_in_code = at_site == BYTE_INSTRUCTION || at_site == BYTE_INSTRUCTION_TAIL;
    if (!choice->parts_move || ref->source != SOURCE_RELOCATED || is_in_code)
        return false;
    if (at_target == BYTE_INSTRUCTION_TAIL)
        return !edges_matter(choice->edges, ref->target);
    return at_target == BYTE_INSTRUCTION && !is_label(choice, ref->target);
}

/* Data that code may index: not what is executed, nor what leaves as slots. */
static bool may_hold_arrays(const struct referents *choice, const struct piece *piece)
{
    const struct rewrite *rewrite = choice->rewrite;
    if (is_table_section(choice, piece))
        return false;
    if (piece->kind == PIECE_DATA)
        return true;
    return piece->kind == PIECE_SECTION && piece->nbytes != 0 &&
           !(rewrite->image->sections[piece->section].characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) &&
           edges_has_data(choice->edges, piece);
}

bool referents_may_mean_far_data(struct referents *choice, const struct ref *ref)
{
    enum { FAR_FOLD_NBYTES = 0x10000 };
    const struct rewrite *rewrite = choice->rewrite;
    const struct layout *layout = rewrite->layout;
    const struct piece *own = layout_piece_at(layout, ref->target);
    if (!choice->parts_move || rewrite->image->is_64 || ref->source != SOURCE_CODE ||
        ref->encoding != REF_VA || (ref->flags & REF_FLAG_CODE_TARGET) || !may_hold_arrays(choice, own) ||
        referents_is_direct(choice, ref))
        return false;
    bool is_far = false;
    for (size_t i = 1; i < layout->piece_count && !is_far; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint64_t gap_nbytes = piece->old_rva > ref->target          ? piece->old_rva - ref->target
                              : ref->target >= piece_end_rva(piece) ? ref->target - piece_end_rva(piece)
                                                                    : 0;
        is_far = piece_delta(piece) != piece_delta(own) && gap_nbytes < FAR_FOLD_NBYTES &&
                 may_hold_arrays(choice, piece);
    }
    if (!is_far)
        return false;
    if (ref->access != ACCESS_ADDRESS)
        return true;
    struct address_uses uses = referents_uses_of(choice, ref);
    return !uses.is_as_is && !uses.is_compared && !uses.is_decided;
}
