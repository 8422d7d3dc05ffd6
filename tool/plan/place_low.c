/* place_low.c - places for the sections of a low-aligned image.
 * Takes: atoms and slots.  Gives: layout->pieces.  Must not: move executable bytes away from what stays.
 *
 * Everything moves by one distance, so that nothing changes between code and what it refers to; sections go
 * on sharing pages where their rights agree. What may not share a page with code leaves it: writable
 * sections, whole or with their read-only neighbours (struct rewrite's `cut`), and what the loader writes. It
 * goes behind everything else, to the same place inside a page as before. */
#include "plan/reloc_table.h"
#include "plan/rewrite.h"

/* What the header page leaves to the first section. */
static uint32_t choose_delta(const struct rewrite *rewrite)
{
    return rewrite->atoms[0].rva >= PAGE_NBYTES ? 0 : PAGE_NBYTES;
}

static bool share_page(uint32_t a_rva, uint32_t a_nbytes, uint32_t b_rva, uint32_t b_nbytes)
{
    return page_of(a_rva) <= page_of(b_rva + b_nbytes - 1) && page_of(b_rva) <= page_of(a_rva + a_nbytes - 1);
}

/* Does an atom that stays and needs all of `needs` touch a page of the range? All of them move alike, so old
 * addresses tell. */
static bool is_beside(const struct rewrite *rewrite, uint32_t rva, uint32_t nbytes, unsigned needs)
{
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        if (atom->group == 0 && !atom->is_relocations && (atom->needs & needs) == needs &&
            share_page(rva, nbytes, atom->rva, atom->nbytes))
            return true;
    }
    return false;
}

static bool is_data(const struct atom *atom)
{
    return !(atom->needs & NEEDS_EXECUTE) && !atom->is_relocations;
}

/* The run of atoms that leaves with atom `index`. */
static void take_group(struct rewrite *rewrite, uint32_t index, uint32_t group)
{
    uint32_t first = index, last = index;
    bool before = rewrite->cut == CUT_WITH_BEFORE || rewrite->cut == CUT_WITH_BOTH;
    bool behind = rewrite->cut == CUT_WITH_BEHIND || rewrite->cut == CUT_WITH_BOTH;
    while (before && first > 0 && is_data(&rewrite->atoms[first - 1]))
        first--;
    while (behind && last + 1 < rewrite->atom_count && is_data(&rewrite->atoms[last + 1]))
        last++;
    for (uint32_t i = first; i <= last; i++) {
        struct atom *atom = &rewrite->atoms[i];
        if (atom->group == 0)
            atom->group = group;
        if (!atom->why)
            atom->why = i == index
                            ? "It is writable and shared a page with code."
                            : "It lies beside writable data that leaves, and addresses between the two "
                              "could mean either.";
    }
}

static void join_groups(struct rewrite *rewrite, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        if (rewrite->atoms[i].group == b)
            rewrite->atoms[i].group = a;
}

/* A table's own section that stays, on a page with writable data and on a page with code: two new sections
 * would cut the table. Windows reads it all the same; other readers take a table from one section. */
static struct atom *cut_table(const struct rewrite *rewrite, unsigned index)
{
    const struct directory *directory = image_directory(rewrite->image, index);
    struct atom *atom = directory ? atom_at(rewrite, directory->rva) : NULL;
    bool is_own = atom && atom->rva == directory->rva && atom->group == 0 && atom->needs == 0;
    return is_own && is_beside(rewrite, directory->rva, directory->nbytes, NEEDS_WRITE) &&
                   is_beside(rewrite, directory->rva, directory->nbytes, NEEDS_EXECUTE)
               ? atom
               : NULL;
}

static void take_cut_tables(struct rewrite *rewrite)
{
    static const unsigned tables[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct atom *atom = cut_table(rewrite, tables[i]);
        if (!atom)
            continue;
        atom->group = atom->section + 1;
        atom->why = "It is a table on pages that must not have the same rights.";
    }
}

/* Groups are numbered by their sections, so that the runs of data of one section leave together; neighbours
 * that leave stay together, too. */
static bool choose_groups(struct rewrite *rewrite)
{
    if (rewrite->keeps_distances)
        return true; /* keep_distances.c has chosen */
    bool *conflicts = arena_array(rewrite->arena, rewrite->atom_count, sizeof *conflicts);
    if (!conflicts)
        return false;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        conflicts[i] = atom->is_data_run || ((atom->needs & NEEDS_WRITE) &&
                                             is_beside(rewrite, atom->rva, atom->nbytes, NEEDS_EXECUTE));
    }
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        if (conflicts[i])
            take_group(rewrite, i, rewrite->atoms[i].section + 1);
    take_cut_tables(rewrite);
    for (uint32_t i = 1; i < rewrite->atom_count; i++) {
        uint32_t before = rewrite->atoms[i - 1].group, group = rewrite->atoms[i].group;
        if (before != 0 && group != 0 && before != group)
            join_groups(rewrite, before, group);
    }
    return true;
}

static void choose_slots(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        struct slot_range *slot = &rewrite->slots[i];
        const struct atom *atom = atom_at(rewrite, slot->rva);
        bool is_executable = is_beside(rewrite, slot->rva, slot->nbytes, NEEDS_EXECUTE);
        bool lacks_write =
            slot->kind == PIECE_VARIABLES && !is_beside(rewrite, slot->rva, slot->nbytes, NEEDS_WRITE);
        slot->leaves = atom && !slot_stays_in(rewrite, slot, atom) &&
                       (is_executable || lacks_write || rewrite->keeps_distances);
    }
}

static uint32_t next_page(uint32_t rva)
{
    return page_of(rva + PAGE_NBYTES - 1);
}

/* Congruent to old_rva, on pages from `page_rva` on. */
static uint32_t congruent(uint32_t page_rva, uint32_t old_rva)
{
    return page_rva + old_rva % PAGE_NBYTES;
}

/* All atoms of a group keep their distances. Returns the end of the last one. */
static uint32_t place_group(const struct rewrite *rewrite, uint32_t first, uint32_t page_rva,
                            uint32_t *new_rvas)
{
    uint32_t delta = congruent(page_rva, rewrite->atoms[first].rva) - rewrite->atoms[first].rva, end_rva = 0;
    for (uint32_t i = first; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        if (atom->group != rewrite->atoms[first].group)
            continue;
        new_rvas[i] = atom->rva + delta;
        end_rva = new_rvas[i] + atom->nbytes;
    }
    return end_rva;
}

static bool is_first_of_group(const struct rewrite *rewrite, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (rewrite->atoms[i].group == rewrite->atoms[index].group)
            return false;
    return rewrite->atoms[index].group != 0;
}

/* New places of the atoms by index; the slots get theirs. Returns the end of all. */
static uint32_t choose_places(struct rewrite *rewrite, uint32_t *new_rvas)
{
    uint32_t delta = rewrite->layout->uniform_delta, end_rva = PAGE_NBYTES;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        const struct atom *atom = &rewrite->atoms[i];
        new_rvas[i] = atom->rva + delta;
        if (atom->group == 0 && !atom->is_relocations && new_rvas[i] + atom->nbytes > end_rva)
            end_rva = new_rvas[i] + atom->nbytes;
    }
    end_rva = place_slots(rewrite, false, next_page(end_rva));
    end_rva = place_slots(rewrite, true, next_page(end_rva));
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        if (is_first_of_group(rewrite, i))
            end_rva = place_group(rewrite, i, next_page(end_rva), new_rvas);
    for (uint32_t i = 0; i < rewrite->atom_count; i++)
        if (rewrite->atoms[i].is_relocations) {
            new_rvas[i] = congruent(next_page(end_rva), rewrite->atoms[i].rva);
            end_rva = new_rvas[i] + rewrite->atoms[i].nbytes;
        }
    return end_rva;
}

static bool add_pieces(struct rewrite *rewrite, const uint32_t *new_rvas)
{
    struct piece headers = {.nbytes = rewrite->image->headers_nbytes,
                            .section = NO_SECTION,
                            .kind = PIECE_HEADERS,
                            .why = "Headers stay at the image base."};
    if (headers.nbytes > rewrite->atoms[0].rva)
        headers.nbytes = rewrite->atoms[0].rva;
    if (!layout_add_piece(rewrite->layout, rewrite->arena, &headers))
        return false;
    for (uint32_t i = 0; i < rewrite->atom_count; i++) {
        struct atom *atom = &rewrite->atoms[i];
        struct piece relocations = {.old_rva = atom->rva,
                                    .nbytes = atom->nbytes,
                                    .new_rva = new_rvas[i],
                                    .section = atom->section,
                                    .kind = PIECE_RELOCATIONS,
                                    .why = "The table is written anew."};
        if (!atom->why)
            atom->why = "Sections start behind the header page.";
        if (atom->is_relocations ? !layout_add_piece(rewrite->layout, rewrite->arena, &relocations)
                                 : !place_atom(rewrite, atom, new_rvas[i]))
            return false;
    }
    return true;
}

/* The table is as long as its entries at their new places need; then its section's size follows. */
static bool size_relocations(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct directory *directory = image_directory(rewrite->image, DIR_BASERELOC);
    struct span table;
    if (!directory)
        return true;
    if (!reloc_table_build(rewrite->refs, layout, rewrite->arena, &table))
        return false;
    const struct piece *found = layout_piece_at(layout, directory->rva);
    struct piece *piece = &layout->pieces[found - layout->pieces];
    reloc_table_stays(layout, directory, (uint32_t)table.nbytes);
    if (piece->kind == PIECE_RELOCATIONS) {
        piece->nbytes = directory->rva - piece->old_rva + (uint32_t)table.nbytes;
        layout->relocations_room_nbytes = (uint32_t)table.nbytes;
    } else if (table.nbytes > directory->nbytes) {
        return rewrite_refuse(
            rewrite, directory->rva, directory->entry_foff,
            "Let the linker put base relocations into a section of their own (.reloc).",
            "The base relocation table would grow from 0x%X to 0x%zX bytes, and its section "
            "holds other things as well.",
            directory->nbytes, table.nbytes);
    }
    return true;
}

bool place_low(struct rewrite *rewrite)
{
    uint32_t *new_rvas = arena_array(rewrite->arena, rewrite->atom_count, sizeof *new_rvas);
    if (!new_rvas)
        return false;
    if (rewrite->whole_count == 0 || rewrite->whole_count > MOST_SECTIONS)
        return rewrite_refuse(rewrite, NO_RVA, NO_FILE_OFFSET, "Link the image again with fewer sections.",
                              "It has %u sections; Windows loads 1 to %d.", rewrite->whole_count,
                              MOST_SECTIONS);
    rewrite->layout->uniform_delta = choose_delta(rewrite);
    if (!choose_groups(rewrite))
        return false;
    choose_slots(rewrite);
    if (!slots_check(rewrite))
        return false;
    (void)choose_places(rewrite, new_rvas);
    return add_pieces(rewrite, new_rvas) && straddle_plan(rewrite) && size_relocations(rewrite);
}
