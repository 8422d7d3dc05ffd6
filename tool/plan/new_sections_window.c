/* new_sections_window.c - the section table of a page-aligned image whose data moves by one distance.
 * Takes: placed pieces.  Gives: a header for each section and each section's runs of data at their new place,
 * and holes without data where nothing lies. Must not: place pieces, or give a right that a section did not
 * have. */
#include "plan/new_sections.h"

bool window_holds(const struct rewrite *rewrite, const struct piece *piece)
{
    return rewrite->keeps_distances && (piece->kind == PIECE_DATA || piece->kind == PIECE_SECTION) &&
           piece_delta(piece) != rewrite->layout->uniform_delta;
}

bool window_leaves_whole(const struct rewrite *rewrite, const struct section *section)
{
    const struct piece *piece = layout_piece_at(rewrite->layout, section->rva);
    return piece->section == section->index && piece->kind == PIECE_SECTION &&
           piece->old_rva == section->rva && window_holds(rewrite, piece);
}

void window_vacate(const struct section *section, struct new_section *kept)
{
    *kept = (struct new_section){.rva = section->rva,
                                 .virtual_size = section->memory_nbytes,
                                 .characteristics = NEW_CONSTANTS,
                                 .old_section = section->index,
                                 .name = HOLE_SECTION};
}

static uint32_t section_begin(const struct layout *layout, uint32_t rva)
{
    return rva / layout->section_alignment * layout->section_alignment;
}

static void add_hole(struct layout *layout, uint32_t end_rva)
{
    uint32_t rva = sections_end_rva(layout);
    if (rva < end_rva)
        layout->sections[layout->section_count++] = (struct new_section){.rva = rva,
                                                                         .virtual_size = end_rva - rva,
                                                                         .characteristics = NEW_CONSTANTS,
                                                                         .old_section = NO_SECTION,
                                                                         .name = HOLE_SECTION};
}

static void add_whole(struct layout *layout, const struct section *section, uint32_t rva)
{
    struct new_section *moved = &layout->sections[layout->section_count++];
    *moved = (struct new_section){.rva = rva,
                                  .virtual_size = section->virtual_size,
                                  .raw_nbytes = section->raw_nbytes,
                                  .characteristics = section->characteristics,
                                  .old_section = NO_SECTION};
    memcpy(moved->name, section->raw_name, SECTION_NAME_NBYTES);
}

/* The runs of data of one section, from the piece `first` on. */
static void add_runs(const struct rewrite *rewrite, size_t first)
{
    struct layout *layout = rewrite->layout;
    uint32_t rva = section_begin(layout, layout->pieces[first].new_rva), end_rva = rva, backed_end_rva = rva;
    bool is_writable = false;
    for (size_t i = first; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->section != layout->pieces[first].section || !window_holds(rewrite, piece))
            continue;
        is_writable |= (piece_needs(rewrite, piece) & NEEDS_WRITE) != 0;
        end_rva = piece->new_rva + piece->nbytes;
        backed_end_rva = piece->new_rva + piece_backed_nbytes(rewrite, piece);
    }
    struct new_section *section = sections_add(layout, is_writable ? ".hvdata" : ".hvidata", rva,
                                               end_rva - rva, is_writable ? NEW_DATA : NEW_CONSTANTS);
    section->raw_nbytes = align_up(backed_end_rva - rva, layout->file_alignment);
}

/* The file bytes of a section that leaves are nobody else's, and closing their gap keeps what lies behind
 * aligned. */
static bool check_raw(struct rewrite *rewrite, const struct section *section)
{
    const struct image *image = rewrite->image;
    bool is_odd = section->raw_nbytes % image->file_alignment != 0;
    for (uint32_t i = 0; i < image->section_count && !is_odd; i++)
        is_odd = i != section->index &&
                 ranges_overlap(image->sections[i].stored_raw_foff, image->sections[i].raw_nbytes,
                                section->stored_raw_foff, section->raw_nbytes);
    return !is_odd || rewrite_refuse(rewrite, section->rva, section->header_foff, "Link the image again.",
                                     "The bytes of section %s in the file are not its own.", section->name);
}

uint32_t window_vacated_nbytes(const struct rewrite *rewrite, const struct section *section)
{
    uint32_t nbytes = 0;
    for (uint32_t i = 0; rewrite->keeps_distances && i < rewrite->image->section_count; i++) {
        const struct section *other = &rewrite->image->sections[i];
        if (other->raw_nbytes != 0 && other->stored_raw_foff < section->stored_raw_foff &&
            window_leaves_whole(rewrite, other))
            nbytes += other->raw_nbytes;
    }
    return nbytes;
}

bool window_add_sections(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    uint32_t last = NO_SECTION;
    if (!rewrite->keeps_distances)
        return true;
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->section == last || !window_holds(rewrite, piece))
            continue;
        const struct section *section = &rewrite->image->sections[piece->section];
        last = piece->section;
        add_hole(layout, section_begin(layout, piece->new_rva));
        if (!window_leaves_whole(rewrite, section)) {
            add_runs(rewrite, i);
            continue;
        }
        if (!check_raw(rewrite, section))
            return false;
        add_whole(layout, section, piece->new_rva);
    }
    if (layout->section_count + MOST_NEW_SECTIONS > MOST_SECTIONS)
        return rewrite_refuse(rewrite, NO_RVA, NO_FILE_OFFSET, "Link the image again with fewer sections.",
                              "All data would move by one distance, which takes more sections than Windows "
                              "loads.");
    return true;
}
