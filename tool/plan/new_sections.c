/* new_sections.c - what the two makers of section tables share: rights, headers, what lies behind the
 * sections. Takes: pieces, regions.  Gives: copies and fills of the file.  Must not: place pieces. */
#include "plan/new_sections.h"

#include "plan/binding.h"
#include "plan/debug_data.h"
#include "plan/plan_stages.h"

uint32_t align_up(uint32_t value, uint32_t align)
{
    return (value + align - 1) & ~(align - 1);
}

unsigned piece_needs(const struct rewrite *rewrite, const struct piece *piece)
{
    if (piece->kind == PIECE_VARIABLES)
        return NEEDS_WRITE;
    if (piece->kind != PIECE_SECTION && piece->kind != PIECE_DATA)
        return 0;
    const struct atom *atom = atom_at(rewrite, piece->old_rva);
    return atom ? atom->needs : 0;
}

uint32_t piece_backed_nbytes(const struct rewrite *rewrite, const struct piece *piece)
{
    struct span run = image_run_at_rva(rewrite->image, piece->old_rva);
    return run.nbytes < piece->nbytes ? (uint32_t)run.nbytes : piece->nbytes;
}

uint32_t sections_end_rva(const struct layout *layout)
{
    uint32_t last_rva = 0;
    for (uint32_t i = 0; i < layout->section_count; i++) {
        const struct new_section *section = &layout->sections[i];
        uint32_t nbytes = section->virtual_size != 0 ? section->virtual_size : section->raw_nbytes;
        uint32_t end_rva = align_up(section->rva + nbytes, layout->section_alignment);
        last_rva = end_rva > last_rva ? end_rva : last_rva;
    }
    return last_rva;
}

struct new_section *sections_add(struct layout *layout, const char *name, uint32_t rva, uint32_t nbytes,
                                 uint32_t characteristics)
{
    struct new_section *section = &layout->sections[layout->section_count++];
    *section = (struct new_section){.rva = rva,
                                    .virtual_size = nbytes,
                                    .raw_nbytes = align_up(nbytes, layout->file_alignment),
                                    .characteristics = characteristics,
                                    .old_section = NO_SECTION};
    memcpy(section->name, name, strlen(name));
    return section;
}

static bool is_dropped(const struct image *image, const struct region *region, bool with_symbols)
{
    switch (region->kind) {
    case REGION_PADDING:
    case REGION_CERTIFICATES:     /* plan_signature() has decided that they go */
    case REGION_COFF_RELOCATIONS: /* of object files, and line numbers: nothing reads them in an image */
        return true;
    case REGION_DEBUG_DATA:
        return debug_data_is_dropped(image, region->foff);
    case REGION_COFF_SYMBOLS:
    case REGION_STRING_TABLE:
        return !with_symbols;
    default:
        return false;
    }
}

static bool refuse_region(struct rewrite *rewrite, const struct region *region)
{
    return rewrite_refuse(
        rewrite, NO_RVA, region->foff,
        "Start from the linker's own output, and add what was appended afterwards.",
        "The file holds %llu bytes of kind \"%s\" at file offset 0x%llX, which nothing says how "
        "to move.",
        (unsigned long long)region->nbytes, region_kind_name(region->kind), (unsigned long long)region->foff);
}

bool carry_unmapped(struct rewrite *rewrite, bool with_symbols, uint32_t *end_foff)
{
    const struct image *image = rewrite->image;
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        struct span bytes;
        bool is_carried =
            region->kind == REGION_DEBUG_DATA ||
            (with_symbols && (region->kind == REGION_COFF_SYMBOLS || region->kind == REGION_STRING_TABLE));
        bool is_odd = region->kind == REGION_UNNAMED || region->kind == REGION_OVERLAY ||
                      region->kind == REGION_SECTION_TAIL;
        uint32_t there_foff;
        if (layout_map_foff(rewrite->layout, (uint32_t)region->foff, &there_foff) ||
            is_dropped(image, region, with_symbols))
            continue; /* carried with a section, or not wanted */
        if (is_odd && span_part(image->file, region->foff, region->nbytes, &bytes) &&
            !span_is_filled(bytes, 0))
            return refuse_region(rewrite, region);
        if (!is_carried)
            continue;
        /* Debuggers and string tables ask for no alignment, but symbols are read with one. */
        *end_foff = align_up(*end_foff, region->kind == REGION_STRING_TABLE ? 1 : 4);
        if (!layout_add_copy(rewrite->layout, rewrite->arena, region->foff, *end_foff, region->nbytes))
            return false;
        *end_foff += (uint32_t)region->nbytes;
        layout_sort_copies(rewrite->layout);
    }
    return true;
}

bool carry_headers(struct rewrite *rewrite, uint32_t section_count, uint32_t *end_foff)
{
    const struct image *image = rewrite->image;
    uint32_t old_end_foff = image->section_table_end_foff;
    const struct nx_plan *nx = rewrite->context->options->nx;
    uint32_t nx_count = nx && nx->redirect_count != 0 ? NX_MOST_SECTIONS : 0u; /* added behind this layout */
    uint32_t new_end_foff = image->section_table_foff + (section_count + nx_count) * SECTION_HEADER_NBYTES;
    uint32_t slack_end_foff = image->headers_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        if (section->file_nbytes != 0 && section->raw_foff < slack_end_foff)
            slack_end_foff = section->raw_foff;
    }
    if (slack_end_foff > image->file.nbytes)
        slack_end_foff = (uint32_t)image->file.nbytes;
    uint32_t first_foff = old_end_foff; /* of what lies behind the table, but for bound imports */
    uint32_t bound_foff = 0, bound_nbytes = 0;
    binding_header_range(image, &bound_foff, &bound_nbytes);
    while (first_foff < slack_end_foff &&
           (image->file.bytes[first_foff] == 0 || first_foff - bound_foff < bound_nbytes))
        first_foff++;
    if (first_foff < slack_end_foff)
        return rewrite_refuse(
            rewrite, NO_RVA, first_foff, "Start from the linker's own output.",
            "The bytes at file offset 0x%X behind the section table are in use, and the repaired image has "
            "other headers.",
            first_foff);
    *end_foff = new_end_foff;
    return layout_add_copy(rewrite->layout, rewrite->arena, 0, 0, image->section_table_foff);
}
