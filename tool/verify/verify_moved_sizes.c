/* verify_moved_sizes.c - how much memory the sections of a moved image take.
 * Takes: struct verify_moves.  Gives: true, or the section that is larger than what it holds.
 * Must not: mind a size that the old image had: it was loaded with it. */
#include "verify/verify_moved_rights.h"
#include "verify/verify_repairs.h"

enum { MOST_TIMES = 4, SPARE_PAGE_COUNT = 8 };

static void include(uint64_t *end_rva, const struct verify_section *section, uint64_t rva,
                    uint64_t range_end_rva)
{
    if (rva < (uint64_t)section->rva + section->memory_nbytes && range_end_rva > section->rva &&
        range_end_rva > *end_rva)
        *end_rva = range_end_rva;
}

/* Where the last thing in the section ends; 0 when it holds nothing. */
static uint64_t content_end_rva(const struct verify_moves *moves, const struct verify_section *section)
{
    const struct verify_image *image = &moves->judged->new_image;
    uint64_t end_rva = 0;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        /* Where data left code, its place is filled up. */
        uint64_t piece_end_rva =
            piece->is_code ? (uint64_t)piece->section->rva + piece->section->memory_nbytes : piece->end_rva;
        include(&end_rva, section, (uint64_t)((int64_t)piece->rva + piece->delta),
                (uint64_t)((int64_t)piece_end_rva + piece->delta));
    }
    for (size_t i = 0; i < verify_repairs_range_count(moves); i++) {
        struct verify_range made = verify_repairs_range(moves, i);
        include(&end_rva, section, made.rva, made.end_rva);
    }
    if (image->directory_count > DIR_BASERELOC)
        include(&end_rva, section, image->directories[DIR_BASERELOC].rva,
                (uint64_t)image->directories[DIR_BASERELOC].rva + image->directories[DIR_BASERELOC].nbytes);
    return end_rva;
}

static bool check_size(struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *a = &moves->judged->old_image;
    const struct verify_section *section = &moves->judged->new_image.sections[index];
    uint64_t end_rva = content_end_rva(moves, section);
    /* What left may leave a hole behind the rest, up to the next section. */
    uint64_t most_end_rva = end_rva + a->image_nbytes + PAGE_NBYTES;
    enum verify_header_origin origin = verify_header_origin(moves, index);
    bool has_old_size = false;
    for (uint32_t i = 0; i < a->section_count && verify_header_stays(origin); i++)
        has_old_size = has_old_size || (a->sections[i].rva == section->rva &&
                                        section->virtual_nbytes <= a->sections[i].virtual_nbytes);
    return end_rva == 0 || has_old_size || (uint64_t)section->rva + section->virtual_nbytes <= most_end_rva ||
           verify_refute(moves->judged,
                         verify_spot_foff(moves->judged, section->header_foff + SECTION_VIRTUAL_SIZE),
                         "Section %s is 0x%X bytes in memory; what it holds ends at RVA 0x%llX.",
                         section->name, (unsigned)section->virtual_nbytes, (unsigned long long)end_rva);
}

/* What runs later, when it discards or pages sections, takes the greater of the two sizes: raw data beyond
 * the last page would take the pages of the next section along (PE-format facts: MmFreeDriverInitialization).
 */
static bool check_raw_size(struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *a = &moves->judged->old_image;
    const struct verify_section *section = &moves->judged->new_image.sections[index];
    uint64_t most_nbytes = ((uint64_t)section->virtual_nbytes + PAGE_NBYTES - 1) / PAGE_NBYTES * PAGE_NBYTES;
    if (section->virtual_nbytes == 0 || section->raw_nbytes <= most_nbytes)
        return true;
    for (uint32_t i = 0; i < a->section_count; i++)
        if (a->sections[i].rva == section->rva && a->sections[i].raw_nbytes >= section->raw_nbytes &&
            a->sections[i].virtual_nbytes <= section->virtual_nbytes)
            return true;
    return verify_refute(moves->judged,
                         verify_spot_foff(moves->judged, section->header_foff + SECTION_SIZE_OF_RAW_DATA),
                         "Section %s has 0x%X bytes in the file, more than its pages in memory.",
                         section->name, (unsigned)section->raw_nbytes);
}

bool verify_moved_sizes(struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    for (uint32_t i = 0; i < b->section_count; i++)
        if (!check_size(moves, i) || !check_raw_size(moves, i))
            return false;
    /* Sections that hold nothing fill what is free between others. */
    uint64_t most_nbytes = MOST_TIMES * ((uint64_t)a->image_nbytes + PAGE_NBYTES) +
                           (b->section_count + (uint64_t)SPARE_PAGE_COUNT) * PAGE_NBYTES;
    return b->image_nbytes <= most_nbytes ||
           verify_refute(moves->judged, verify_spot_foff(moves->judged, b->opt_foff + OPT_SIZE_OF_IMAGE),
                         "The new image takes 0x%X bytes of memory; the old one took 0x%X.",
                         (unsigned)b->image_nbytes, (unsigned)a->image_nbytes);
}
