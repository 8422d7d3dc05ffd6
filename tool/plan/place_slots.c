/* place_slots.c - places for what leaves a section by itself.
 * Takes: the slots that leave.  Gives: their new addresses, and the pieces of the sections that they leave.
 * Must not: change order or spacing inside a slot range. */
#include "plan/debug_data.h"
#include "plan/rewrite.h"
#include "refs/extent_index.h"

bool slot_stays_in(const struct rewrite *rewrite, const struct slot_range *slot, const struct atom *atom)
{
    if (rewrite->keeps_distances && atom->group == KEPT_GROUP)
        return rewrite->runs_leave_whole || slot->kind == PIECE_VARIABLES ||
               !keep_is_written_page(rewrite, slot);
    if (atom->is_data_run)
        return rewrite->runs_leave_whole || slot->kind == PIECE_VARIABLES;
    return atom->group != 0 || (atom->needs & NEEDS_WRITE);
}

static bool collides(const struct rewrite *rewrite, const struct slot_range *slot, size_t before,
                     bool is_writable)
{
    for (size_t i = 0; i < before; i++) {
        const struct slot_range *other = &rewrite->slots[i];
        if (other->leaves && (other->kind == PIECE_VARIABLES) == is_writable &&
            ranges_overlap(slot->new_rva, slot->nbytes, other->new_rva, other->nbytes))
            return true;
    }
    return false;
}

uint32_t place_slots(struct rewrite *rewrite, bool is_writable, uint32_t first_rva)
{
    uint32_t end_rva = first_rva;
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i];
        if (!slot->leaves || (slot->kind == PIECE_VARIABLES) != is_writable)
            continue;
        slot->new_rva = first_rva + slot->rva % PAGE_NBYTES;
        while (collides(rewrite, slot, i, is_writable))
            slot->new_rva += PAGE_NBYTES;
        if (slot->new_rva + slot->nbytes > end_rva)
            end_rva = slot->new_rva + slot->nbytes;
    }
    return end_rva;
}

bool slots_check(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->slot_count; i++)
        if (rewrite->slots[i].leaves && rewrite->slots[i].holds_addresses)
            return rewrite_refuse(
                rewrite, rewrite->slots[i].rva, NO_FILE_OFFSET,
                "Do not use delay-load imports, or link with a linker that keeps their slots apart.",
                "Slots of %s at RVA 0x%X hold addresses of this image: not only the loader writes them.",
                rewrite->slots[i].field, rewrite->slots[i].rva);
    return true;
}

static const char *why_slot(struct rewrite *rewrite, const struct slot_range *slot)
{
    return arena_printf(rewrite->arena, "Executable memory cannot be written, and %s is written at load.",
                        slot->field);
}

enum { TABLE_ALIGN_NBYTES = 16 };

/* Behind the tables up to first lie at most a few zeros until begin. */
static bool is_gap(struct span bytes, uint32_t first, uint32_t begin)
{
    return begin <= first || (begin - first < TABLE_ALIGN_NBYTES &&
                              span_is_filled((struct span){bytes.bytes + first, begin - first}, 0));
}

/* Nothing but tables of the loader's and its like, which are found through directories, with a few zeros
 * between them; or DWARF. */
static bool is_table(const struct rewrite *rewrite, const struct atom *atom)
{
    const struct section *section = &rewrite->image->sections[atom->section];
    struct span bytes = image_run_at_rva(rewrite->image, atom->rva);
    if ((atom->needs & NEEDS_EXECUTE) || atom->is_data_run)
        return false;
    if (section_is_debug(section))
        return true;
    if (section->virtual_size > bytes.nbytes)
        return false;
    uint32_t nbytes = section->virtual_size != 0 ? section->virtual_size : (uint32_t)bytes.nbytes, first = 0;
    for (size_t i = 0; rewrite->tables && i < rewrite->tables->count && first < nbytes; i++) {
        const struct extent *extent = &rewrite->tables->extents[i];
        if (extent->rva < atom->rva || extent->rva - atom->rva >= nbytes)
            continue;
        if (!is_gap(bytes, first, extent->rva - atom->rva))
            return false;
        uint32_t end = extent->rva - atom->rva + extent->nbytes;
        first = end > first ? end : first;
    }
    return first != 0 && (first >= nbytes || is_gap(bytes, first, nbytes));
}

bool place_atom(struct rewrite *rewrite, const struct atom *atom, uint32_t new_rva)
{
    struct piece rest = {.section = atom->section,
                         .kind = (uint8_t)(atom->is_data_run ? PIECE_DATA : PIECE_SECTION),
                         .is_table = is_table(rewrite, atom),
                         .why = atom->why};
    uint32_t at_rva = atom->rva, end_rva = atom->rva + atom->nbytes;
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        const struct slot_range *slot = &rewrite->slots[i];
        if (!slot->leaves || slot->rva < atom->rva || slot->rva >= end_rva)
            continue;
        rest.old_rva = at_rva;
        rest.nbytes = slot->rva - at_rva;
        rest.new_rva = new_rva + (at_rva - atom->rva);
        struct piece piece = {.old_rva = slot->rva,
                              .nbytes = slot->nbytes,
                              .new_rva = slot->new_rva,
                              .section = atom->section,
                              .kind = slot->kind,
                              .why = why_slot(rewrite, slot)};
        if ((rest.nbytes != 0 && !layout_add_piece(rewrite->layout, rewrite->arena, &rest)) ||
            !layout_add_piece(rewrite->layout, rewrite->arena, &piece))
            return false;
        at_rva = slot->rva + slot->nbytes;
    }
    if (at_rva >= end_rva && at_rva != atom->rva)
        return true;
    rest.old_rva = at_rva;
    rest.nbytes = end_rva - at_rva;
    rest.new_rva = new_rva + (at_rva - atom->rva);
    return layout_add_piece(rewrite->layout, rewrite->arena, &rest);
}
