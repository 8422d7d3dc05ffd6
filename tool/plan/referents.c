/* referents.c - what each reference of the inventory means, and so where its target lies in the new image.
 * Takes: pieces with their new places.  Gives: layout->targets.  Must not: place anything.
 *
 * A target address is not a referent: near the border of two pieces that part, it may mean either (edges.c).
 * Fields of loader tables, direct branches, and sized accesses to a fixed address mean the byte that they
 * name. Every other address may be folded. A field that several sources name is judged once, by the one that
 * knows most of it. */
#include "plan/referents.h"

#include "plan/debug_data.h"

#include <inttypes.h>

enum { STEPS_PER_BYTE = 16 };

const char referents_cure_border[] =
    "Put the variables into a section of its own that begins and ends at a page, or link "
    "with /ALIGN:0x1000 and without /MERGE.";
static const char cure_damage[] = "Link the image again; a repair needs tables that name what is there.";

/* Fields that hold the address behind the last byte. */
bool ref_names_end(const struct image *image, const struct ref *ref)
{
    switch (ref->source) {
    case SOURCE_EXCEPTION:
    case SOURCE_UNWIND: /* a chained record repeats the function's */
        return ref->detail == DETAIL_FUNCTION_END;
    case SOURCE_HANDLER_DATA:
        return ref->detail == DETAIL_SCOPE_END;
    case SOURCE_TLS:
        return ref->detail == image_pick(image, TLS_END_32, TLS_END_64);
    default:
        return false;
    }
}

bool referents_refuse(struct rewrite *rewrite, const struct ref *ref, const char *cure, const char *what)
{
    uint32_t place = ref->site_rva;
    if (ref->source == SOURCE_CODE && place != NO_RVA)
        place = code_instruction_begin(rewrite->code, place);
    return rewrite_refuse(rewrite, place, ref->site_foff, cure,
                          "The reference at RVA 0x%" PRIX32 " (%s, to RVA 0x%" PRIX32 ") %s.", place,
                          ref_source_name(ref->source), ref->target, what);
}

/* Headers stay; the address of the image base that code forms by its distance is judged apart (base_judge.c).
 */
bool referents_choose_in_headers(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    const struct layout *layout = choice->rewrite->layout;
    *target = ref->target;
    if (ref_is_in_table(ref))
        return true;
    if (layout->uniform_delta == 0) {
        /* With an index, an address there means an array behind the headers, which may leave. */
        if (layout_data_leaves(layout) && ref->encoding == REF_VA && !choice->rewrite->image->is_64 &&
            ref->target != 0 && !referents_is_direct(choice, ref))
            return referents_refuse(
                choice->rewrite, ref, referents_cure_border,
                "has an index whose bounds are not known, and more than one part of the data "
                "that moves apart may hold the array");
        /* Tables of RVAs that code adds to the image base are nobody's references. */
        uint32_t number_rva = NO_RVA;
        if (ref->target == 0 && ref->encoding != REF_PCREL && !rva_numbers_find(choice->rewrite, &number_rva))
            return false;
        if (number_rva == NO_RVA)
            return true;
        return referents_refuse(
            choice->rewrite, ref,
            "Do not take the address of __ImageBase, or keep variables out of code sections.",
            "is the address of the image base, and code may reach from it what has to leave");
    }
    if (ref->encoding == REF_PCREL && ref->access == ACCESS_ADDRESS && ref->target == 0) {
        *target = layout->uniform_delta;
        return true;
    }
    return referents_refuse(
        choice->rewrite, ref,
        "Do not take the address of __ImageBase, or link the driver with page-aligned sections.",
        "is the address of the image base or of a header, whose distance to the rest changes");
}

/* The entry point, or the begin of a function that unwind data name, in what is not executable any more. */
static bool is_code_that_left(const struct referents *choice, const struct ref *ref, uint32_t new_rva)
{
    bool is_executed = (ref->source == SOURCE_HEADERS && ref->detail == DETAIL_ENTRY_POINT) ||
                       (ref->source == SOURCE_EXCEPTION && ref->detail == DETAIL_FUNCTION_BEGIN);
    if (!is_executed || ref->state != REF_RESOLVED)
        return false;
    const struct section *old_section = image_section_at_rva(choice->rewrite->image, ref->target);
    const struct new_section *section = layout_section_at(choice->rewrite->layout, new_rva);
    return old_section && section && (old_section->characteristics & SCN_MEM_EXECUTE) &&
           !(section->characteristics & SCN_MEM_EXECUTE);
}

static bool choose_table(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    const struct layout *layout = choice->rewrite->layout;
    if (ref->state == REF_HEADERS)
        return referents_choose_in_headers(choice, ref, target);
    if (ref->state == REF_OUTSIDE || ref->state == REF_GAP) {
        /* An absolute symbol that the linker has exported: a number that leads nowhere. */
        bool is_number = ref->source == SOURCE_EXPORTS && ref->state == REF_OUTSIDE;
        if (is_number || ref->source == SOURCE_COFF_SYMBOLS ||
            (ref->source == SOURCE_DEBUG && layout->uniform_delta == 0)) {
            *target = ref->target;
            return true;
        }
        return referents_refuse(choice->rewrite, ref, cure_damage, "leads to no section");
    }
    bool is_end =
        (ref->state == REF_SECTION_END || ref_names_end(choice->rewrite->image, ref)) && ref->target != 0;
    *target = is_end ? layout_map_rva(layout, ref->target - 1) + 1 : layout_map_rva(layout, ref->target);
    if (is_code_that_left(choice, ref, *target))
        return referents_refuse(choice->rewrite, ref, cure_damage,
                                "says that code begins in what looks like data");
    return true;
}

static bool is_debug_pointer(const struct ref *ref)
{
    return ref->source == SOURCE_DEBUG && ref->encoding == REF_FOFF;
}

static bool choose(struct referents *choice, const struct ref *ref, uint32_t *target)
{
    struct rewrite *rewrite = choice->rewrite;
    const struct layout *layout = rewrite->layout;
    *target = ref->target;
    if (ref->state == REF_NULL || ref->state == REF_CONSTANT || ref->source == SOURCE_BASERELOCS)
        return true;
    switch (ref->encoding) {
    case REF_SIZE:
        return true;
    case REF_SECTION_INDEX: /* of a section that has kept its header; else the symbols are dropped */
        for (uint32_t i = 0; i < layout->section_count; i++)
            if (layout->sections[i].old_section != NO_SECTION &&
                layout->sections[i].old_section + 1 == ref->target)
                *target = i + 1;
        return true;
    case REF_FOFF:
        if (layout_map_foff(layout, ref->target, target))
            return true;
        *target = 0; /* what it names is not carried over; for header fields that is meant */
        return !is_debug_pointer(ref) ||
               debug_entry_is_dropped(rewrite->image, ref->site_foff - DEBUG_POINTER_TO_RAW_DATA) ||
               referents_refuse(rewrite, ref, cure_damage, "names debug data that cannot be carried over");
    case REF_ARM64_INSTRUCTION:
        return referents_refuse(rewrite, ref, cure_damage,
                                "is an ARM64 operand, which cannot be encoded anew here");
    default:
        break;
    }
    if (ref_is_in_table(ref))
        return choose_table(choice, ref, target);
    if (!referents_choose_address(choice, ref, target))
        return false;
    /* Nobody but the loader names the base relocations: the end of what lies before them is meant. */
    if (ref->state == REF_RESOLVED && ref->target != 0 &&
        layout_piece_at(layout, ref->target)->kind == PIECE_RELOCATIONS &&
        *target == layout_map_rva(layout, ref->target))
        *target = layout_map_rva(layout, ref->target - 1) + 1;
    if (ref_is_used_with_base(ref) && ref->state != REF_HEADERS)
        *target -= layout->uniform_delta;
    return true;
}

/* The same address in the same field: what the first of them means, the others mean. */
static bool follows(const struct ref *first, const struct ref *ref)
{
    return first->encoding == ref->encoding && first->target == ref->target &&
           first->width_nbytes == ref->width_nbytes;
}

static bool pieces_move_apart_from_code(const struct layout *layout)
{
    for (size_t i = 1; i < layout->piece_count; i++)
        if (layout->pieces[i].kind != PIECE_RELOCATIONS &&
            piece_delta(&layout->pieces[i]) != layout->uniform_delta)
            return true;
    return false;
}

bool referents_choose(struct rewrite *rewrite)
{
    const struct refset *refs = rewrite->refs;
    const uint32_t *order = rewrite->ref_order;
    struct layout *layout = rewrite->layout;
    struct referents choice = {.rewrite = rewrite,
                               .edges = rewrite->edges,
                               .decoder = decoder_new(rewrite->arena, rewrite->image->is_64),
                               .steps_left = STEPS_PER_BYTE * (uint64_t)rewrite->image->file.nbytes,
                               .parts_move = layout_data_leaves(layout),
                               .operands_change =
                                   rewrite->image->is_64 && pieces_move_apart_from_code(layout)};
    layout->targets = arena_array(rewrite->arena, refs->ref_count, sizeof *layout->targets);
    if (!choice.decoder || !layout->targets ||
        !extent_index_init(&choice.jump_tables, refs, UINT64_C(1) << EXTENT_JUMP_TABLE, rewrite->arena))
        return false;
    for (size_t i = 0, first = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[order[i]];
        if (i == 0 || ref->site_foff != refs->refs[order[first]].site_foff)
            first = i;
        if (i != first && follows(&refs->refs[order[first]], ref))
            layout->targets[order[i]] = layout->targets[order[first]];
        else if (!choose(&choice, ref, &layout->targets[order[i]]))
            return false;
    }
    return true;
}
