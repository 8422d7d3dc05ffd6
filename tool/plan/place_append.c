/* place_append.c - places for what has to leave executable sections of a page-aligned image.
 * Takes: atoms and slots.  Gives: layout->pieces.  Must not: move anything else; sections stay where they
 * are. */
#include "plan/rewrite.h"

#include <inttypes.h>

static bool is_executable(const struct rewrite *rewrite, uint32_t rva)
{
    const struct section *section = image_section_at_rva(rewrite->image, rva);
    return section && (section->characteristics & SCN_MEM_EXECUTE);
}

/* Whole and in one section, with bytes in the file. */
static bool check_slot(struct rewrite *rewrite, const struct slot_range *slot)
{
    uint32_t foff;
    const struct section *section = image_section_at_rva(rewrite->image, slot->rva);
    if (range_fits(section->memory_nbytes, slot->rva - section->rva, slot->nbytes) &&
        image_rva_to_foff(rewrite->image, slot->rva, slot->nbytes, &foff))
        return true;
    return rewrite_refuse(rewrite, slot->rva, NO_FILE_OFFSET,
                          "Remove the option that merges it into a code section.",
                          "%s at RVA 0x%" PRIX32 " (0x%" PRIX32
                          " bytes) cannot leave section %s: it is not wholly in that section's data.",
                          slot->field, slot->rva, slot->nbytes, section->name);
}

bool place_append(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct image *image = rewrite->image;
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i];
        slot->leaves = rewrite->takes_slots_out && is_executable(rewrite, slot->rva);
        if (slot->leaves && !check_slot(rewrite, slot))
            return false;
    }
    const struct section *last = image->sections_by_rva[image->mapped_section_count - 1];
    uint32_t align = image->section_alignment, end_rva;
    if (!round_up_u32((uint64_t)last->rva + last->memory_nbytes, align, &end_rva))
        return rewrite_refuse(rewrite, last->rva, NO_FILE_OFFSET, "Link the image again.",
                              "There is no room behind section %s.", last->name);
    end_rva = place_slots(rewrite, false, end_rva);
    if (!round_up_u32(end_rva, align, &end_rva))
        return false;
    (void)place_slots(rewrite, true, end_rva);

    struct piece headers = {.nbytes = image->headers_nbytes,
                            .section = NO_SECTION,
                            .kind = PIECE_HEADERS,
                            .why = "Headers stay at the image base."};
    if (!layout_add_piece(layout, rewrite->arena, &headers))
        return false;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        if (!rewrite->atoms[i].why)
            rewrite->atoms[i].why = "It stays.";
        if (!place_atom(rewrite, &rewrite->atoms[i], rewrite->atoms[i].rva))
            return false;
    }
    return straddle_plan(rewrite);
}
