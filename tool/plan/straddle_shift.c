/* straddle_shift.c - a whole section of constants moves inside its pages, so that none of its relocations
 * crosses a page boundary. Takes: placed pieces, relocations.  Gives: the section's new place, which the
 * steps behind judge like any other move. Must not: shift code, a part of a section, or what the loader opens
 * or aligns by pages.
 *
 * The distance is a multiple of a page and s; s is the largest of 0x800, 0x400 ... 0x10 that helps, so that
 * what asks for no more alignment than s keeps it (docs/ASSUMPTIONS.md). The old place is filled with zeros.
 */
#include "plan/new_sections.h"
#include "plan/straddle_parts.h"

enum { LARGEST_SHIFT_NBYTES = 0x800, SMALLEST_SHIFT_NBYTES = 0x10 };

/* Why the section cannot be shifted at all; NULL when it can. */
static const char *obstacle(const struct straddle_plan *plan, const struct piece *piece)
{
    const struct rewrite *rewrite = plan->rewrite;
    const struct section *section = &rewrite->image->sections[piece->section];
    if (layout_is_low(rewrite->image))
        return "it shares its pages with other sections of an image that is not page-aligned";
    if (piece->old_rva != section->rva || piece->nbytes != section->memory_nbytes)
        return "only a part of it would stay where it is";
    if (section->file_nbytes < section->memory_nbytes)
        return "not all of it lies in the file";
    struct span behind; /* the rest of the last page, as far as it is in the file */
    if (section->file_nbytes > section->memory_nbytes &&
        (!image_bytes_at_rva(rewrite->image, section->rva + section->memory_nbytes,
                             section->file_nbytes - section->memory_nbytes, &behind) ||
         !span_is_filled(behind, 0)))
        return "bytes that are not zero lie behind it, and they would not come along";
    for (size_t i = 0; i < rewrite->refs->extent_count; i++) {
        const struct extent *extent = &rewrite->refs->extents[i];
        if (extent->kind != EXTENT_JUMP_TABLE &&
            ranges_overlap(extent->rva, extent->nbytes, section->rva, section->memory_nbytes))
            return arena_printf(rewrite->arena, "Windows reads a table in it (%s), so it cannot be shifted",
                                extent_kind_name((enum extent_kind)extent->kind));
    }
    return NULL;
}

static bool helps(const struct straddle_plan *plan, const struct piece *piece, uint32_t shift_nbytes)
{
    for (size_t i = 0; i < plan->relocation_count; i++) {
        const struct relocation *relocation = &plan->relocations[i];
        if (relocation->old_rva - piece->old_rva < piece->nbytes &&
            (relocation->old_rva + shift_nbytes) % PAGE_NBYTES + relocation->nbytes > PAGE_NBYTES)
            return false;
    }
    return true;
}

/* The first page behind everything that has a place. */
static uint32_t fresh_rva(const struct rewrite *rewrite)
{
    uint32_t end_rva = 0;
    for (size_t i = 0; i < rewrite->layout->piece_count; i++) {
        const struct piece *piece = &rewrite->layout->pieces[i];
        if (piece->new_rva + piece->nbytes > end_rva)
            end_rva = piece->new_rva + piece->nbytes;
    }
    return align_up(end_rva, rewrite->image->section_alignment);
}

bool straddle_shift(struct straddle_plan *plan, const struct piece *found, const char **why_not)
{
    struct piece *piece = &plan->rewrite->layout->pieces[found - plan->rewrite->layout->pieces];
    uint32_t shift_nbytes = LARGEST_SHIFT_NBYTES;
    *why_not = obstacle(plan, piece);
    if (*why_not)
        return false;
    while (shift_nbytes >= SMALLEST_SHIFT_NBYTES && !helps(plan, piece, shift_nbytes))
        shift_nbytes /= 2;
    if (shift_nbytes < SMALLEST_SHIFT_NBYTES) {
        *why_not = "no shift of it inside its pages (by 0x800, 0x400 ... 0x10 bytes) takes all of them off";
        return false;
    }
    piece->new_rva = fresh_rva(plan->rewrite) + piece->old_rva % PAGE_NBYTES + shift_nbytes;
    piece->kind = PIECE_SHIFTED;
    piece->why =
        arena_printf(plan->rewrite->arena,
                     "Relocations in it crossed page boundaries; 0x%X bytes farther in its pages none does.",
                     shift_nbytes);
    for (size_t i = 0; i < plan->relocation_count; i++)
        plan->relocations[i].new_rva = layout_map_rva(plan->rewrite->layout, plan->relocations[i].old_rva);
    return true;
}

bool straddle_add_shifted(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    /* Each took the first page behind all others, so by new place they stand in the order of their turns. */
    for (uint32_t last_rva = 0;;) {
        const struct piece *next = NULL;
        for (size_t i = 0; i < layout->piece_count; i++) {
            const struct piece *piece = &layout->pieces[i];
            if (piece->kind == PIECE_SHIFTED && piece->new_rva > last_rva &&
                (!next || piece->new_rva < next->new_rva))
                next = piece;
        }
        if (!next)
            return true;
        last_rva = next->new_rva;
        const struct section *section = &rewrite->image->sections[next->section];
        uint32_t rva = sections_end_rva(layout);
        if (next->new_rva - rva >= layout->section_alignment || layout->section_count >= MOST_SECTIONS)
            return rewrite_refuse(rewrite, next->old_rva, NO_FILE_OFFSET, "Link the image again.",
                                  "There is no room for section %s behind the others.", section->name);
        (void)sections_add(layout, STRADDLE_SHIFTED_SECTION, rva, next->new_rva + next->nbytes - rva,
                           section->characteristics);
    }
}
