/* verify_shift.c - sections of data that moved by a distance that is no multiple of a page.
 * Takes: the map.  Gives: true, or why such a section must not be shifted.
 * Must not: accept a shifted part of a section, or one that the loader aligns or opens by pages.
 * Nothing in such a section may need more alignment than its distance has: assumed, and said in the verdict.
 */
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"

enum { SHIFT_ALIGN_NBYTES = 16, SHIFT_LARGEST_NBYTES = 0x800, PAGE_SHIFT_COUNT = 2 };

static bool has_straddler(const struct verify_case *judged, const struct verify_section *section)
{
    struct verify_relocation_reader reader = verify_relocations_begin(&judged->old_image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        judged->verdict->step_count++;
        if (nbytes != 0 && relocation.rva >= section->rva &&
            relocation.rva - section->rva < section->memory_nbytes &&
            verify_straddles(relocation.rva, nbytes))
            return true;
    }
    return false;
}

size_t verify_shift_candidates(const struct verify_case *judged, const struct verify_section *section,
                               int64_t *deltas, size_t capacity)
{
    const struct verify_image *image = &judged->new_image;
    size_t count = 0;
    if ((section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) || !has_straddler(judged, section))
        return 0;
    for (uint32_t i = image->section_count; i-- > 0;) /* new sections are the last ones */
        for (int64_t page = 0; page <= PAGE_SHIFT_COUNT; page++)
            for (int64_t shift = SHIFT_LARGEST_NBYTES; shift >= SHIFT_ALIGN_NBYTES; shift /= 2)
                if (count < capacity)
                    deltas[count++] = (int64_t)image->sections[i].rva + page * PAGE_NBYTES + shift -
                                      (int64_t)(section->rva / PAGE_NBYTES * PAGE_NBYTES);
    return count;
}

static const char *page_bound_table(const struct verify_moves *moves, const struct verify_section *section)
{
    static const struct {
        uint32_t index;
        const char *what;
    } directories[] = {{DIR_IAT, "the import address table"},
                       {DIR_LOAD_CONFIG, "the load configuration"},
                       {DIR_RESOURCE, "resources"}};
    const struct verify_image *image = &moves->judged->old_image;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        uint32_t index = directories[i].index;
        if (index < image->directory_count && image->directories[index].rva != 0 &&
            ranges_overlap(section->rva, section->memory_nbytes, image->directories[index].rva,
                           (uint64_t)image->directories[index].nbytes + 1))
            return directories[i].what;
    }
    for (size_t i = 0; i < moves->old_tables.written.count; i++) {
        const struct verify_range *range = &moves->old_tables.written.items[i];
        if (strstr(range->what, "FirstThunk") && range->rva >= section->rva &&
            range->rva - section->rva < section->memory_nbytes)
            return "import slots";
    }
    return NULL;
}

static bool judge_piece(struct verify_moves *moves, const struct verify_piece *piece)
{
    struct verify_case *judged = moves->judged;
    const struct verify_section *section = piece->section;
    uint32_t new_rva = (uint32_t)((int64_t)piece->rva + piece->delta);
    struct verify_spot spot = verify_spot_rva(judged, new_rva);
    if (piece->delta % SHIFT_ALIGN_NBYTES != 0)
        return verify_refute(judged, spot, "Section %s was shifted by 0x%llX bytes, no multiple of %u.",
                             section->name, (unsigned long long)piece->delta, (unsigned)SHIFT_ALIGN_NBYTES);
    if (piece->is_code || (section->characteristics & SCN_MEM_EXECUTE))
        return verify_refute(judged, spot, "Section %s was shifted inside its pages, but holds code.",
                             section->name);
    const char *table = page_bound_table(moves, section);
    if (table)
        return verify_refute(judged, spot, "Section %s was shifted inside its pages, but holds %s.",
                             section->name, table);
    const struct verify_section *now = verify_section_at(&judged->new_image, new_rva);
    bool was_writable = (section->characteristics & SCN_MEM_WRITE) != 0;
    if (!now || (now->characteristics & SCN_MEM_EXECUTE) ||
        ((now->characteristics & SCN_MEM_WRITE) != 0) != was_writable)
        return verify_refute(judged, spot, "Section %s was shifted, and has other rights at its new place.",
                             section->name);
    for (size_t i = 0; i < moves->map.count; i++)
        if (moves->map.pieces[i].section == section && moves->map.pieces[i].delta != piece->delta)
            return verify_refute(judged, spot, "Only a part of section %s was shifted inside its pages.",
                                 section->name);
    return true;
}

bool verify_shifts_judge(struct verify_moves *moves)
{
    struct verify_repairs *repairs = &moves->repairs;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->delta % PAGE_NBYTES == 0)
            continue;
        if (!judge_piece(moves, piece))
            return false;
        uint32_t align = (uint32_t)(piece->delta & -piece->delta);
        if (repairs->shift_count++ == 0 || align < repairs->shift_align_nbytes)
            repairs->shift_align_nbytes = align;
    }
    return true;
}
