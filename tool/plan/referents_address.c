/* referents_address.c - what an address means that code holds, or a base relocation names.
 * Takes: one reference, pieces with their new places.  Gives: its new target, or the refusal that names it.
 * Must not: judge fields of loader tables.
 *
 * The questions are asked from the surest answer on: a label of a jump table, an index of known bounds, bytes
 * that are accessed through the address; then what is done with it, and last what lies near it. */
#include "plan/referents.h"

enum { LARGEST_DATUM_NBYTES = 512, DATUM_IS_LARGE = 255 };

static bool is_store(const struct ref *ref)
{
    return ref->source == SOURCE_CODE && (ref->access == ACCESS_WRITE || ref->access == ACCESS_READ_WRITE);
}

/* What leaves is read-only where the loader alone writes it, and nowhere executable. */
static bool check_rights_of(struct referents *choice, const struct ref *ref, const struct piece *piece)
{
    const struct layout *layout = choice->rewrite->layout;
    if ((ref->flags & REF_FLAG_CODE_TARGET) && ref->source == SOURCE_CODE &&
        piece_delta(piece) != layout->uniform_delta && piece->kind != PIECE_HEADERS)
        return referents_refuse(choice->rewrite, ref, "Keep code out of data sections.",
                                "is a branch to what must not be executable");
    bool is_slot = piece->kind == PIECE_IAT || piece->kind == PIECE_SLOTS;
    bool is_taken = is_slot && ref->source == SOURCE_CODE && ref->access == ACCESS_ADDRESS &&
                    !(ref->flags & REF_FLAG_CODE_TARGET);
    if ((is_slot && is_store(ref)) || (is_taken && referents_uses_of(choice, ref).is_written))
        return referents_refuse(choice->rewrite, ref,
                                "Do not change import slots or guard slots at run time.",
                                "stores into what must be read-only after load");
    return true;
}

static bool check_rights(struct referents *choice, const struct ref *ref)
{
    return check_rights_of(choice, ref, layout_piece_at(choice->rewrite->layout, ref->target));
}

/* The datum of a direct access lies in one piece. */
static bool lies_in_one(const struct layout *layout, const struct ref *ref)
{
    uint32_t nbytes = ref->detail >> CODE_REF_NBYTES_SHIFT;
    if (nbytes == DATUM_IS_LARGE)
        nbytes = LARGEST_DATUM_NBYTES;
    if (nbytes == 0 || (ref->flags & REF_FLAG_CODE_TARGET))
        return true;
    const struct piece *piece = layout_piece_at(layout, ref->target);
    uint32_t last = ref->target + nbytes - 1;
    return last >= ref->target && piece_delta(layout_piece_at(layout, last)) == piece_delta(piece);
}

/* A1 in front of an address is `mov eax, [address]`, unless it is the ModRM byte of [ecx + address] with
 * register 4 in an instruction that compilers make: arithmetic of a group, jumps, shifts, bytes in AH,
 * floating point, the 0F map. */
static bool is_plain_load_of_eax(const uint8_t before[3])
{
    static const uint8_t takes_modrm[] = {0x80, 0x81, 0x83, 0xF6, 0xF7, 0xFE, 0xFF, 0xC0,
                                          0xC1, 0xD0, 0xD1, 0xD2, 0xD3, 0x88, 0x8A, 0x89,
                                          0x8B, 0x8D, 0x69, 0x6B, 0x62, 0x63, 0x38, 0x3A};
    for (size_t i = 0; i < sizeof takes_modrm; i++)
        if (before[2] == takes_modrm[i])
            return false;
    return (before[2] & 0xF8) != 0xD8 && before[1] != 0x0F && before[0] != 0x0F;
}

/* A call or jump through a field that is not decoded, or a load: FF 15, FF 25, 8B with a plain address, or
 * A1, before the address of an import slot. That of the first slot may be the end of what lies before. */
static bool is_plain_import_use(const struct referents *choice, const struct ref *ref)
{
    enum { BEFORE_NBYTES = 4 };
    struct span bytes;
    const struct piece *piece = layout_piece_at(choice->rewrite->layout, ref->target);
    if (ref->source != SOURCE_RELOCATED || choice->rewrite->image->is_64 || piece->kind != PIECE_IAT ||
        ref->site_rva < BEFORE_NBYTES ||
        !image_bytes_at_rva(choice->rewrite->image, ref->site_rva - BEFORE_NBYTES, BEFORE_NBYTES, &bytes) ||
        !code_section_at(choice->rewrite->code, ref->site_rva))
        return false;
    const uint8_t *opcode = bytes.bytes + BEFORE_NBYTES - 2;
    bool is_call = opcode[0] == 0xFF && (opcode[1] == 0x15 || opcode[1] == 0x25);
    bool is_load = (opcode[0] == 0x8B && (opcode[1] & 0xC7) == 0x05) ||
                   (opcode[1] == 0xA1 && is_plain_load_of_eax(bytes.bytes));
    return (is_call || (is_load && ref->target != piece->old_rva)) &&
           (ref->target - piece->old_rva) % image_pointer_nbytes(choice->rewrite->image) == 0;
}

/* All bytes that are accessed through the address lie in the piece that it lies in. */
static bool is_within_own(const struct layout *layout, uint32_t t, const struct address_uses *uses)
{
    const struct piece *own = layout_piece_at(layout, t);
    int64_t first = (int64_t)t + uses->first, end = (int64_t)t + uses->end;
    return first >= own->old_rva && end <= (int64_t)own->old_rva + own->nbytes;
}

/* Something is added to the address. */
static bool is_indexed(struct referents *choice, const struct ref *ref)
{
    if (ref->source != SOURCE_CODE || (ref->flags & REF_FLAG_CODE_TARGET) || referents_is_direct(choice, ref))
        return false;
    if (ref->access != ACCESS_ADDRESS)
        return true;
    struct address_uses uses = referents_uses_of(choice, ref);
    return !uses.is_as_is && !uses.is_compared;
}

/* So far out that no index leads back: 64 KiB behind the image, or before it. */
static bool is_beyond_reach(const struct image *image, const struct ref *ref)
{
    enum { REACH_NBYTES = 0x10000 };
    return ref->encoding == REF_PCREL && ref->target >= (uint64_t)image->image_nbytes + REACH_NBYTES;
}

/* Nothing lies out there: with an index it is an array's, and all of them may move alike. Past the image's
 * end one may mean the end of what comes last. */
static bool choose_outside(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    const struct layout *layout = choice->rewrite->layout;
    if (choice->rewrite->keeps_distances && is_indexed(choice, ref) && referents_only_data(choice) &&
        !is_beyond_reach(choice->rewrite->image, ref)) {
        *target = ref->target + piece_delta(referents_only_data(choice));
        return true;
    }
    for (size_t i = 1; i < layout->piece_count; i++)
        if (piece_delta(&layout->pieces[i]) != layout->uniform_delta &&
            layout->pieces[i].kind != PIECE_RELOCATIONS)
            return referents_refuse(choice->rewrite, ref, referents_cure_border,
                                    "leads out of the image, and what it is meant to reach is not known");
    *target = ref->target + layout->uniform_delta;
    return true;
}

/* Near a border where the image is cut, what is done with the address tells which side it means. */
static bool choose_near_border(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    struct rewrite *rewrite = choice->rewrite;
    const struct layout *layout = rewrite->layout;
    if (referents_is_direct(choice, ref) || is_plain_import_use(choice, ref)) {
        if (lies_in_one(layout, ref))
            return true;
        return referents_refuse(rewrite, ref, referents_cure_border,
                                "is an access across a border where the image is cut");
    }
    struct address_uses uses = referents_uses_of(choice, ref);
    if (uses.is_decided && is_within_own(layout, ref->target, &uses))
        return true;
    enum address_use use = uses.is_as_is                          ? USE_AS_IS
                           : uses.is_compared                     ? USE_COMPARED
                           : referents_index_is_wide(choice, ref) ? USE_INDEXED_WIDE
                                                                  : USE_COMPUTED;
    const struct piece *piece = edges_decide(choice->edges, ref->target, use);
    if (!piece)
        return referents_refuse(
            rewrite, ref, referents_cure_border,
            "is an address so near to a border where the image has to be cut that it may mean what "
            "lies on either side");
    *target = ref->target + piece_delta(piece);
    return true;
}

/* The address lies in a piece: it was folded, its array may be far, a border is near, or none of it. */
static bool choose_resolved(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    struct rewrite *rewrite = choice->rewrite;
    const struct layout *layout = rewrite->layout;
    *target = layout_map_rva(layout, ref->target);
    /* Base relocations change the code of x86 with every load; nobody sums that up. */
    if (choice->operands_change && ref->source == SOURCE_CODE && ref->encoding == REF_PCREL &&
        ref->access == ACCESS_ADDRESS && code_class_at(rewrite->code, ref->target) == BYTE_INSTRUCTION &&
        address_is_read_through(rewrite->image, rewrite->code, choice->decoder, ref->site_rva,
                                &choice->steps_left))
        return referents_refuse(rewrite, ref, "Do not read the bytes of functions.",
                                "is the address of code that is read as data, and operands in code change");
    bool is_folded = referents_is_folded_into_code(choice, ref),
         may_be_far = !is_folded && referents_may_mean_far_data(choice, ref);
    if (is_folded || may_be_far ||
        (edges_matter(choice->edges, ref->target) && !referents_is_direct(choice, ref))) {
        const struct piece *accessed = referents_accessed_piece(choice, ref);
        if (accessed) {
            *target = ref->target + piece_delta(accessed);
            return check_rights_of(choice, ref, accessed);
        }
    }
    if (is_folded && !referents_may_be_place_in_code(choice, ref) && referents_only_data(choice)) {
        *target = ref->target + piece_delta(referents_only_data(choice));
        return true;
    }
    if (is_folded)
        return referents_refuse(
            rewrite, ref, referents_cure_border,
            "is computed with and lies among code, so it means an array elsewhere; which one is "
            "not known");
    if (may_be_far)
        return referents_refuse(
            rewrite, ref, referents_cure_border,
            "has an index whose bounds are not known, and more than one part of the data that "
            "moves apart may hold the array");
    if (!check_rights(choice, ref))
        return false;
    if (!edges_matter(choice->edges, ref->target)) {
        if (layout->uniform_delta != 0 && layout_piece_at(layout, ref->target)->kind == PIECE_HEADERS)
            return referents_refuse(rewrite, ref, referents_cure_border,
                                    "leads between the headers and the first section");
        return true;
    }
    return choose_near_border(choice, ref, target);
}

bool referents_choose_address(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    struct rewrite *rewrite = choice->rewrite;
    const struct layout *layout = rewrite->layout;
    /* Labels in jump tables mean code. */
    if (ref->source == SOURCE_RELOCATED && ref->state == REF_RESOLVED &&
        extent_index_at(&choice->jump_tables, ref->site_rva)) {
        *target = layout_map_rva(layout, ref->target);
        return true;
    }
    if (ref->state == REF_RESOLVED && referents_is_pointer_to_no_label(choice, ref))
        return referents_refuse(
            rewrite, ref, referents_cure_border,
            "leads among instructions, but to no label, so it means an array elsewhere; which "
            "one is not known");
    if (choice->parts_move && ref->source == SOURCE_RELOCATED &&
        site_set_has(&rewrite->data_pointers, ref->site_foff))
        return referents_refuse(
            rewrite, ref, referents_cure_border,
            "leads to code, but memory is accessed through it, so it means an array elsewhere; "
            "which one is not known");
    const struct piece *indexed = referents_indexed_piece(choice, ref);
    if (indexed) {
        *target = ref->target + piece_delta(indexed);
        return check_rights_of(choice, ref, indexed);
    }
    if (ref->state == REF_HEADERS)
        return referents_choose_in_headers(choice, ref, target);
    if (ref->state == REF_OUTSIDE)
        return choose_outside(choice, ref, target);
    return choose_resolved(choice, ref, target);
}
