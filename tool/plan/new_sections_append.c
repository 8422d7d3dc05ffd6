/* new_sections_append.c - the section table of a page-aligned image from which a few slots leave.
 * Takes: placed pieces.  Gives: sections, copies, fills.  Must not: change an RVA of what stays.
 *
 * Old headers stay in their order; new sections come behind the last. When the header has no room for them,
 * SizeOfHeaders grows, and with it every file offset. */
#include "plan/debug_data.h"
#include "plan/new_sections.h"
#include "plan/reloc_table.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_leaving(const struct piece *piece)
{
    return piece->kind == PIECE_IAT || piece->kind == PIECE_SLOTS || piece->kind == PIECE_VARIABLES ||
           piece->kind == PIECE_DATA;
}

/* One section for the constants, one for the variables. */
static void add_slot_sections(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    for (int writable = 0; writable < 2; writable++) {
        uint32_t end_rva = 0, backed_end_rva = 0, first_rva = sections_end_rva(layout);
        if (rewrite->context->options->forced && rewrite->context->options->forced->slots_rva > first_rva)
            first_rva = rewrite->context->options->forced->slots_rva;
        for (size_t i = 0; i < layout->piece_count; i++) {
            const struct piece *piece = &layout->pieces[i];
            if (!is_leaving(piece) || window_holds(rewrite, piece) ||
                ((piece_needs(rewrite, piece) & NEEDS_WRITE) != 0) != (writable != 0))
                continue;
            uint32_t backed_rva = piece->new_rva + piece_backed_nbytes(rewrite, piece);
            end_rva = piece->new_rva + piece->nbytes > end_rva ? piece->new_rva + piece->nbytes : end_rva;
            backed_end_rva = backed_rva > backed_end_rva ? backed_rva : backed_end_rva;
        }
        if (end_rva == 0)
            continue;
        struct new_section *section = sections_add(layout, writable ? ".hvdata" : ".hvidata", first_rva,
                                                   end_rva - first_rva, writable ? NEW_DATA : NEW_CONSTANTS);
        section->raw_nbytes = align_up(backed_end_rva - first_rva, layout->file_alignment);
    }
}

static void copy_old_sections(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    for (uint32_t i = 0; i < rewrite->image->section_count; i++) {
        const struct section *section = &rewrite->image->sections[i];
        struct new_section *kept = &layout->sections[layout->section_count++];
        *kept = (struct new_section){.rva = section->rva,
                                     .virtual_size = section->virtual_size,
                                     .raw_foff = section->stored_raw_foff,
                                     .raw_nbytes = section->raw_nbytes,
                                     .characteristics = section->characteristics,
                                     .old_section = i};
        memcpy(kept->name, section->raw_name, SECTION_NAME_NBYTES);
        if (rewrite->context->options->forced)
            kept->rva = rewrite->context->options->forced->section_rvas[i];
        if (window_leaves_whole(rewrite, section))
            window_vacate(section, kept);
    }
}

/* May the bytes behind the old table be overwritten: are they zero, in the section's file bytes, and
 * nobody's? */
static bool may_grow(const struct rewrite *rewrite, const struct section *section, uint32_t end_rva,
                     uint32_t nbytes)
{
    struct span bytes;
    if (!image_bytes_at_rva(rewrite->image, end_rva, nbytes, &bytes) || !span_is_filled(bytes, 0) ||
        end_rva - section->rva + nbytes > section->file_nbytes)
        return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        bool is_address = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX &&
                          ref->encoding != REF_SIZE && ref->state == REF_RESOLVED;
        if (is_address && ref->source != SOURCE_COFF_SYMBOLS && ref->target - end_rva < nbytes)
            return false;
    }
    return true;
}

/* In its old place when it fits there, else in a section of its own. */
static bool place_relocations(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct directory *directory = image_directory(rewrite->image, DIR_BASERELOC);
    struct span table;
    if (!directory)
        return true;
    if (!reloc_table_build(rewrite->refs, layout, rewrite->arena, &table))
        return false;
    const struct section *section = image_section_at_rva(rewrite->image, directory->rva);
    if (table.nbytes <= BASERELOC_BLOCK_HEADER_NBYTES || !section)
        return true; /* nothing to relocate: the directory stays as it is */
    reloc_table_stays(layout, directory, (uint32_t)table.nbytes);
    if (table.nbytes <= directory->nbytes)
        return true;
    uint32_t more_nbytes = (uint32_t)table.nbytes - directory->nbytes;
    struct new_section *kept = &layout->sections[section->index];
    if (may_grow(rewrite, section, directory->rva + directory->nbytes, more_nbytes)) {
        uint32_t end = directory->rva - section->rva + (uint32_t)table.nbytes;
        layout->relocations_room_nbytes = (uint32_t)table.nbytes;
        if (kept->virtual_size != 0 && end > kept->virtual_size)
            kept->virtual_size = end;
        return true;
    }
    layout->relocations_rva = sections_end_rva(layout);
    layout->relocations_room_nbytes = (uint32_t)table.nbytes;
    (void)sections_add(layout, ".hvreloc", layout->relocations_rva, (uint32_t)table.nbytes, NEW_RELOCATIONS);
    return true;
}

/* How far file offsets move, so that the header ends in front of the first section's data. */
static bool make_header_room(struct rewrite *rewrite, uint32_t *shift_nbytes)
{
    struct layout *layout = rewrite->layout;
    const struct image *image = rewrite->image;
    uint32_t end_foff, first_foff = UINT32_MAX;
    if (!carry_headers(rewrite, layout->section_count, &end_foff))
        return false;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].file_nbytes != 0 && image->sections[i].stored_raw_foff < first_foff)
            first_foff = image->sections[i].stored_raw_foff;
    uint32_t align =
        image->file_alignment > RAW_ALIGNMENT_NBYTES ? image->file_alignment : RAW_ALIGNMENT_NBYTES;
    layout->headers_nbytes =
        end_foff > image->headers_nbytes ? align_up(end_foff, align) : image->headers_nbytes;
    *shift_nbytes =
        layout->headers_nbytes > first_foff ? align_up(layout->headers_nbytes - first_foff, align) : 0;
    uint32_t first_rva = image->sections_by_rva[0]->rva;
    if (layout->headers_nbytes > first_rva || end_foff > PAGE_NBYTES)
        return rewrite_refuse(
            rewrite, NO_RVA, image->section_table_end_foff,
            "Link the image again with fewer sections or a shorter DOS stub.",
            "There is no room for another section header: the headers would end at 0x%" PRIX32
            ", and the first section begins at RVA 0x%" PRIX32 ".",
            layout->headers_nbytes, first_rva);
    return true;
}

/* The raw data of an old section, around the pieces that leave it. */
static bool carry_section(struct rewrite *rewrite, const struct section *section)
{
    struct layout *layout = rewrite->layout;
    uint32_t at_foff = section->stored_raw_foff, end_foff = at_foff + section->raw_nbytes;
    if (section->raw_nbytes == 0)
        return true;
    if (window_leaves_whole(rewrite, section)) {
        const struct new_section *there = layout_section_at(layout, layout_map_rva(layout, section->rva));
        return layout_add_copy(layout, rewrite->arena, at_foff, there->raw_foff, section->raw_nbytes);
    }
    uint32_t shift_nbytes = layout->sections[section->index].raw_foff - at_foff;
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        uint32_t foff, nbytes = piece_backed_nbytes(rewrite, piece);
        if (!(is_leaving(piece) || piece->kind == PIECE_SHIFTED) || piece->section != section->index ||
            !image_rva_to_foff(rewrite->image, piece->old_rva, nbytes, &foff))
            continue;
        const struct new_section *there = layout_section_at(layout, piece->new_rva);
        uint8_t fill = section->characteristics & SCN_MEM_EXECUTE ? FILL_CODE : 0;
        if (!layout_add_copy(layout, rewrite->arena, at_foff, at_foff + shift_nbytes, foff - at_foff) ||
            !layout_add_fill(layout, rewrite->arena, foff + shift_nbytes, nbytes, fill) ||
            !layout_add_copy(layout, rewrite->arena, foff, there->raw_foff + (piece->new_rva - there->rva),
                             nbytes))
            return false;
        at_foff = foff + nbytes;
    }
    return layout_add_copy(layout, rewrite->arena, at_foff, at_foff + shift_nbytes, end_foff - at_foff);
}

static bool lay_out_file(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct image *image = rewrite->image;
    uint32_t shift_nbytes, end_foff = 0;
    if (!make_header_room(rewrite, &shift_nbytes))
        return false;
    for (uint32_t i = 0; i < layout->section_count; i++) {
        struct new_section *section = &layout->sections[i];
        if (section->old_section == NO_SECTION) {
            /* Windows rounds places in the file down to 0x200, whatever the header says. */
            end_foff =
                align_up(end_foff, layout->file_alignment > RAW_ALIGNMENT_NBYTES ? layout->file_alignment
                                                                                 : RAW_ALIGNMENT_NBYTES);
            section->raw_foff = section->raw_nbytes == 0 ? 0 : end_foff;
        } else if (section->raw_nbytes != 0) {
            section->raw_foff +=
                shift_nbytes - window_vacated_nbytes(rewrite, &image->sections[section->old_section]);
        }
        if (section->raw_nbytes != 0 && section->raw_foff + section->raw_nbytes > end_foff)
            end_foff = section->raw_foff + section->raw_nbytes;
    }
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!carry_section(rewrite, &image->sections[i]))
            return false;
    layout_sort_copies(layout);
    if (!carry_unmapped(rewrite, !layout->drops_symbols, &end_foff))
        return false;
    layout->image_nbytes = sections_end_rva(layout);
    layout->file_nbytes = end_foff;
    return true;
}

/* Symbols are for debuggers, and count from the begins of sections: those of what has left one would lead
 * into another. Then none are carried over; nor are those that debug data or line numbers are about that
 * stay behind. */
static bool symbols_have_moved(const struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->image->section_count; i++)
        if (rewrite->image->sections[i].linenumber_count != 0)
            return true;
    if (debug_data_is_dropped(rewrite->image, rewrite->image->symbol_table_foff))
        return true;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source == SOURCE_COFF_SYMBOLS && ref->encoding == REF_OFFSET && ref->state == REF_RESOLVED &&
            piece_delta(layout_piece_at(rewrite->layout, ref->target)) != 0)
            return true;
    }
    return false;
}

bool new_sections_append(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    layout->section_alignment = rewrite->image->section_alignment;
    layout->file_alignment = rewrite->image->file_alignment;
    layout->drops_symbols = symbols_have_moved(rewrite);
    layout->sections =
        arena_array(rewrite->arena, 3 * ((size_t)rewrite->image->section_count + MOST_NEW_SECTIONS),
                    sizeof *layout->sections);
    if (!layout->sections)
        return false;
    copy_old_sections(rewrite);
    add_slot_sections(rewrite);
    if (!window_add_sections(rewrite) || !straddle_add_shifted(rewrite))
        return false;
    straddle_add_sections(layout);
    if (!place_relocations(rewrite))
        return false;
    return rewrite->context->options->forced
               ? forced_fill_gaps(rewrite) && lay_out_file(rewrite) && forced_sort_sections(layout)
               : lay_out_file(rewrite);
}
