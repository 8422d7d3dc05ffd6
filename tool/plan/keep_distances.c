/* keep_distances.c - the layout in which all data moves by one distance.
 * Takes: the atoms of a candidate.  Gives: which of them move together, with the rights that they need then.
 * Must not: place anything.
 *
 * Whatever array an address near a border, or one with an index, means: it is data's, and all data keep their
 * distances. So only code and data have to be told apart, and what leaves the others by itself: import slots
 * in a page that is written. Parts with different rights may meet on a page; then the page is writable. */
#include "plan/rewrite.h"

bool table_fills_section_at(const struct image *image, uint32_t rva)
{
    enum { TABLE_ALIGN_NBYTES = 16 };
    static const unsigned tables[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_BASERELOC};
    const struct section *section = image_section_at_rva(image, rva);
    if (!section || section->rva != rva)
        return false;
    uint32_t nbytes = section->virtual_size != 0 ? section->virtual_size : section->file_nbytes;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct directory *directory = image_directory(image, tables[i]);
        if (directory && directory->rva == rva &&
            (directory->nbytes >= nbytes || nbytes - directory->nbytes < TABLE_ALIGN_NBYTES))
            return true;
    }
    return false;
}

/* In a page-aligned image a section of tables stays. */
static bool is_moved(const struct rewrite *rewrite, const struct atom *atom)
{
    if ((atom->needs & NEEDS_EXECUTE) || atom->is_relocations)
        return false;
    return layout_is_low(rewrite->image) || atom->is_data_run ||
           !table_fills_section_at(rewrite->image, atom->rva);
}

/* In a page-aligned image the runs of a section become one section. */
static void join_rights(struct rewrite *rewrite, uint32_t first)
{
    unsigned needs = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = first; i < rewrite->atom_count; i++) {
            struct atom *atom = &rewrite->atoms[i];
            if (!atom->is_data_run || atom->section != rewrite->atoms[first].section)
                continue;
            needs |= atom->needs;
            atom->needs = (uint8_t)needs;
        }
}

void keep_distances(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct atom *atom = atom_at(rewrite, rewrite->slots[i].rva);
        if (atom && rewrite->slots[i].kind == PIECE_VARIABLES && !(atom->needs & NEEDS_EXECUTE))
            atom->needs |= NEEDS_WRITE;
    }
    uint32_t section = NO_SECTION;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        struct atom *atom = &rewrite->atoms[i];
        if (!is_moved(rewrite, atom))
            continue;
        atom->group = KEPT_GROUP;
        atom->why = "All data moves by one distance, so that no address has to be told from another's.";
        if (atom->is_data_run && atom->section != section && !layout_is_low(rewrite->image))
            join_rights(rewrite, i);
        section = atom->section;
    }
}

static bool share_page(uint32_t a_rva, uint32_t a_nbytes, const struct atom *atom)
{
    return atom->nbytes != 0 && page_of(a_rva) <= page_of(atom->rva + atom->nbytes - 1) &&
           page_of(atom->rva) <= page_of(a_rva + a_nbytes - 1);
}

bool keep_is_written_page(const struct rewrite *rewrite, const struct slot_range *slot)
{
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        if (rewrite->atoms[i].group == KEPT_GROUP && (rewrite->atoms[i].needs & NEEDS_WRITE) &&
            share_page(slot->rva, slot->nbytes, &rewrite->atoms[i]))
            return true;
    return false;
}
