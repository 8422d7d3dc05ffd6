/* place_forced.c - places that the caller asks for, in a page-aligned image.
 * Takes: atoms, slots, struct forced_layout.  Gives: layout->pieces, and sections for the gaps.  Must not:
 * decide whether the layout can be proved; every reference is asked behind this as for any other.
 *
 * Nothing needs this layout: tests try with it whether the inventory finds every reference between parts, and
 * whether the verifier would notice one that is missing. */
#include "plan/new_sections.h"
#include "refs/extent_index.h"

#include <inttypes.h>
#include <stdlib.h>

static uint32_t delta_of(const struct rewrite *rewrite, uint32_t section)
{
    return rewrite->context->options->forced->section_rvas[section] - rewrite->image->sections[section].rva;
}

/* Branches between sections are not encoded anew: executable sections keep their distances. */
static bool choose_uniform_delta(struct rewrite *rewrite)
{
    bool is_known = false;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        uint32_t delta = delta_of(rewrite, atom->section);
        if (delta % PAGE_NBYTES != 0)
            return rewrite_refuse(rewrite, atom->rva, NO_FILE_OFFSET, "Ask for another layout.",
                                  "A section would move by 0x%" PRIX32 " bytes, which is no number of pages.",
                                  delta);
        if (!(atom->needs & NEEDS_EXECUTE))
            continue;
        if (is_known && delta != rewrite->layout->uniform_delta)
            return rewrite_refuse(rewrite, atom->rva, NO_FILE_OFFSET, "Ask for another layout.",
                                  "Two executable sections would move apart.");
        is_known = true;
        rewrite->layout->uniform_delta = delta;
    }
    return true;
}

static bool choose_slots(struct rewrite *rewrite)
{
    uint32_t slots_rva = rewrite->context->options->forced->slots_rva, foff;
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i];
        const struct section *section = image_section_at_rva(rewrite->image, slot->rva);
        slot->leaves = slots_rva != 0 && slot->kind != PIECE_VARIABLES && !slot->holds_addresses && section &&
                       range_fits(section->memory_nbytes, slot->rva - section->rva, slot->nbytes) &&
                       image_rva_to_foff(rewrite->image, slot->rva, slot->nbytes, &foff);
        if (!slot->leaves && section && (section->characteristics & SCN_MEM_EXECUTE))
            return rewrite_refuse(rewrite, slot->rva, NO_FILE_OFFSET, "Ask for a layout in which it leaves.",
                                  "%s at RVA 0x%" PRIX32 " would stay in executable memory.", slot->field,
                                  slot->rva);
    }
    (void)place_slots(rewrite, false, slots_rva);
    return true;
}

bool place_forced(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    struct piece headers = {.nbytes = rewrite->image->headers_nbytes,
                            .section = NO_SECTION,
                            .kind = PIECE_HEADERS,
                            .why = "Headers stay at the image base."};
    if (!choose_uniform_delta(rewrite) || !layout_add_piece(layout, rewrite->arena, &headers))
        return false;
    if (!choose_slots(rewrite))
        return false;
    uint64_t kinds =
        ~(UINT64_C(1) << EXTENT_JUMP_TABLE | UINT64_C(1) << EXTENT_SECURITY_COOKIE |
          UINT64_C(1) << EXTENT_TLS | UINT64_C(1) << EXTENT_DELAY_IAT | UINT64_C(1) << EXTENT_CLR_HEADER);
    struct extent_index *tables = arena_alloc(rewrite->arena, sizeof *tables);
    if (!tables || !extent_index_init(tables, rewrite->refs, kinds, rewrite->arena))
        return false;
    rewrite->tables = tables;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        struct atom *atom = &rewrite->atoms[i];
        uint32_t new_rva = atom->rva + delta_of(rewrite, atom->section);
        struct piece relocations = {.old_rva = atom->rva,
                                    .nbytes = atom->nbytes,
                                    .new_rva = new_rva,
                                    .section = atom->section,
                                    .kind = PIECE_RELOCATIONS,
                                    .why = "The table is written anew."};
        atom->why = "The caller asked for it.";
        if (atom->is_relocations ? !layout_add_piece(layout, rewrite->arena, &relocations)
                                 : !place_atom(rewrite, atom, new_rva))
            return false;
    }
    return true;
}

static int by_section_rva(const void *a, const void *b)
{
    const struct new_section *x = a, *y = b;
    return x->rva < y->rva ? -1 : x->rva > y->rva;
}

bool forced_sort_sections(struct layout *layout)
{
    qsort(layout->sections, layout->section_count, sizeof *layout->sections, by_section_rva);
    return true;
}

/* Windows wants each section to begin where the headers, or the one before, end. */
bool forced_fill_gaps(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    uint32_t count = layout->section_count;
    struct new_section *sorted = arena_array(rewrite->arena, count, sizeof *sorted);
    if (!sorted)
        return false;
    memcpy(sorted, layout->sections, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_section_rva);
    uint32_t end_rva = align_up(rewrite->image->headers_nbytes, layout->section_alignment);
    for (uint32_t i = 0; i < count; i++) {
        if (sorted[i].rva < end_rva)
            return rewrite_refuse(rewrite, NO_RVA, NO_FILE_OFFSET, "Ask for another layout.",
                                  "Two sections would lie at RVA 0x%" PRIX32 " of the new image.",
                                  sorted[i].rva);
        if (sorted[i].rva > end_rva)
            layout->sections[layout->section_count++] =
                (struct new_section){.name = ".hvhole",
                                     .rva = end_rva,
                                     .virtual_size = sorted[i].rva - end_rva,
                                     .characteristics = NEW_CONSTANTS,
                                     .old_section = NO_SECTION};
        uint32_t nbytes = sorted[i].virtual_size != 0 ? sorted[i].virtual_size : sorted[i].raw_nbytes;
        end_rva = align_up(sorted[i].rva + nbytes, layout->section_alignment);
    }
    return true;
}
