/* place_append.c - places for what has to leave executable sections of a page-aligned image.
 * Takes: atoms and slots.  Gives: layout->pieces.  Must not: move anything else; sections stay where they
 * are. */
#include "plan/rewrite.h"

#include <inttypes.h>

enum { LARGEST_IMAGE_NBYTES = 0x40000000 };

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

static bool choose_slots(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i];
        const struct atom *atom = atom_at(rewrite, slot->rva);
        slot->leaves = rewrite->takes_slots_out && is_executable(rewrite, slot->rva) &&
                       !(atom && atom->is_data_run && slot_stays_in(rewrite, slot, atom));
        if (slot->leaves && !check_slot(rewrite, slot))
            return false;
        /* A new layout that Windows refuses as it did the old one is not worth a proof. */
        if (!rewrite->takes_slots_out && is_executable(rewrite, slot->rva))
            return rewrite_refuse(rewrite, slot->rva, NO_FILE_OFFSET,
                                  "Repair HVCI2005 and HVCI2006 as well (no --only, or name them too).",
                                  "%s at RVA 0x%" PRIX32 " lies in executable memory, and to take it out was "
                                  "not asked for.",
                                  slot->field, slot->rva);
    }
    return true;
}

/* The runs of data of one section keep their distances. Returns the end of the last one. */
static uint32_t place_runs(const struct rewrite *rewrite, bool is_writable, uint32_t end_rva,
                           uint32_t *new_rvas)
{
    uint32_t section = NO_SECTION, delta = 0;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        if (!atom->is_data_run || ((atom->needs & NEEDS_WRITE) != 0) != is_writable)
            continue;
        if (atom->section != section)
            delta = page_of(end_rva + PAGE_NBYTES - 1) - page_of(atom->rva);
        section = atom->section;
        new_rvas[i] = atom->rva + delta;
        end_rva = new_rvas[i] + atom->nbytes;
    }
    return end_rva;
}

/* What moves together when all distances are kept, on fresh pages. */
static bool place_window(struct rewrite *rewrite, uint32_t end_rva, uint32_t *new_rvas)
{
    uint32_t first = 0;
    while (first < rewrite->atom_count && rewrite->atoms[first].group != KEPT_GROUP)
        first++;
    if (first == rewrite->atom_count)
        return true;
    uint32_t align = rewrite->image->section_alignment, delta;
    if (!round_up_u32(end_rva, align, &delta))
        return false;
    delta -= rewrite->atoms[first].rva / align * align;
    const struct directory *relocations = image_directory(rewrite->image, DIR_BASERELOC);
    const struct atom *holder = relocations ? atom_at(rewrite, relocations->rva) : NULL;
    if (holder && holder->group == KEPT_GROUP)
        return rewrite_refuse(rewrite, relocations->rva, relocations->entry_foff,
                              "Let the linker put base relocations into a section of their own (.reloc).",
                              "The base relocation table lies among data that would move.");
    for (uint32_t i = first; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        if (atom->group != KEPT_GROUP)
            continue;
        new_rvas[i] = atom->rva + delta;
        if (new_rvas[i] > LARGEST_IMAGE_NBYTES - atom->nbytes)
            return rewrite_refuse(rewrite, atom->rva, NO_FILE_OFFSET, "Link the image again.",
                                  "There is no room behind the last section for all data.");
    }
    return true;
}

bool place_append(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct image *image = rewrite->image;
    uint32_t *new_rvas = arena_array(rewrite->arena, rewrite->atom_count, sizeof *new_rvas);
    if (!new_rvas || !choose_slots(rewrite) || !slots_check(rewrite))
        return false;
    const struct section *last = image->sections_by_rva[image->mapped_section_count - 1];
    uint32_t align = image->section_alignment, end_rva;
    if (!round_up_u32((uint64_t)last->rva + last->memory_nbytes, align, &end_rva))
        return rewrite_refuse(rewrite, last->rva, NO_FILE_OFFSET, "Link the image again.",
                              "There is no room behind section %s.", last->name);
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        new_rvas[i] = rewrite->atoms[i].rva;
    end_rva = place_slots(rewrite, false, end_rva);
    if (!rewrite->keeps_distances)
        end_rva = place_runs(rewrite, false, end_rva, new_rvas);
    if (!round_up_u32(end_rva, align, &end_rva))
        return false;
    end_rva = place_slots(rewrite, true, end_rva);
    if (!rewrite->keeps_distances)
        (void)place_runs(rewrite, true, end_rva, new_rvas);
    else if (!place_window(rewrite, end_rva, new_rvas))
        return false;

    struct piece headers = {.nbytes = image->headers_nbytes,
                            .section = NO_SECTION,
                            .kind = PIECE_HEADERS,
                            .why = "Headers stay at the image base."};
    if (!layout_add_piece(layout, rewrite->arena, &headers))
        return false;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        if (new_rvas[i] == rewrite->atoms[i].rva)
            rewrite->atoms[i].why = "It stays.";
        if (!place_atom(rewrite, &rewrite->atoms[i], new_rvas[i]))
            return false;
    }
    return straddle_plan(rewrite);
}
