/* verify_moved_sections.c - rights and paging of a moved image.
 * Takes: struct verify_moves.  Gives: true, or the section that must not be so.
 * Must not: accept a section by its name alone.  Source: PE-format rules for drivers: PAGE and .eda are paged
 * by name, discardable sections vanish after start. */
#include "verify/verify_moved_rights.h"
#include "verify/verify_repairs.h"
#include "verify/verify_writes.h"

static struct verify_spot spot_of(const struct verify_moves *moves, const struct verify_section *section)
{
    struct verify_spot spot = verify_spot_foff(moves->judged, section->header_foff + SECTION_CHARACTERISTICS);
    spot.rva = section->rva;
    return spot;
}

/* A name that the old image has already, whatever its bytes. */
static bool is_old_name(const struct verify_image *image, const uint8_t *header)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (memcmp(image->file.bytes + image->sections[i].header_foff + SECTION_NAME, header + SECTION_NAME,
                   SECTION_NAME_NBYTES) == 0)
            return true;
    return false;
}

static bool is_paged_name(const char *name)
{
    return strncmp(name, "PAGE", 4) == 0 || strncmp(name, ".eda", 4) == 0 || strncmp(name, "INIT", 4) == 0;
}

static bool holds_relocations_only(const struct verify_moves *moves, const struct verify_section *section)
{
    const struct verify_image *old_image = &moves->judged->old_image;
    uint32_t old_rva =
        old_image->directory_count > DIR_BASERELOC ? old_image->directories[DIR_BASERELOC].rva : 0;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        int64_t rva = (int64_t)piece->rva + piece->delta, end_rva = (int64_t)piece->end_rva + piece->delta;
        bool overlaps =
            rva < (int64_t)section->rva + section->memory_nbytes && end_rva > (int64_t)section->rva;
        if (overlaps && !(old_rva >= piece->rva && old_rva < piece->end_rva &&
                          (piece->section->characteristics & SCN_MEM_DISCARDABLE)))
            return false;
    }
    return true;
}

/* Its bytes are the relocation table, and the old section with the old one has the same name. */
static bool is_old_relocation_section(const struct verify_moves *moves, const struct verify_section *section)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    if (a->directory_count <= DIR_BASERELOC || b->directory_count <= DIR_BASERELOC ||
        b->directories[DIR_BASERELOC].rva != section->rva ||
        b->directories[DIR_BASERELOC].nbytes < section->virtual_nbytes)
        return false;
    const struct verify_section *had = verify_section_at(a, a->directories[DIR_BASERELOC].rva);
    return had && verify_has_name_of(moves, had, section) && holds_relocations_only(moves, section);
}

/* Data left it so that it need not be writable. */
static bool is_split_and_writable(const struct verify_moves *moves, const struct verify_section *section)
{
    bool is_split = false;
    for (size_t i = 0; i < moves->map.count; i++)
        is_split = is_split || (moves->map.pieces[i].is_data_run &&
                                moves->map.pieces[i].section->index == section->index);
    return is_split && (section->characteristics & SCN_MEM_EXECUTE) &&
           (section->characteristics & SCN_MEM_WRITE);
}

static bool check_header(struct verify_moves *moves, uint32_t index)
{
    struct verify_case *judged = moves->judged;
    const struct verify_section *section = &judged->new_image.sections[index];
    uint32_t flags = section->characteristics;
    const uint8_t *header = judged->new_image.file.bytes + section->header_foff;
    uint32_t known = SCN_CNT_CODE | SCN_CNT_INITIALIZED_DATA | SCN_CNT_UNINITIALIZED_DATA | SCN_ALIGN_MASK |
                     SCN_MEM_DISCARDABLE | SCN_MEM_NOT_PAGED | SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_WRITE;
    enum verify_header_origin origin = verify_header_origin(moves, index);
    if (load_u32(header + SECTION_POINTER_TO_RELOCATIONS) != 0 ||
        load_u32(header + SECTION_POINTER_TO_LINENUMBERS) != 0 ||
        load_u32(header + SECTION_NUMBER_OF_RELOCATIONS) != 0)
        return verify_refute(judged, spot_of(moves, section),
                             "Section %s has COFF relocations or line numbers.", section->name);
    if (origin == HEADER_KEPT && !is_split_and_writable(moves, section))
        return true;
    if ((flags & SCN_MEM_EXECUTE) && (flags & SCN_MEM_WRITE))
        return verify_refute(judged, spot_of(moves, section), "Section %s is writable and executable.",
                             section->name);
    if (verify_header_stays(origin) || origin == HEADER_MOVED)
        return true;
    if (origin == HEADER_CHANGED)
        return verify_refute(judged, spot_of(moves, section),
                             "The header of section %s changed in its name, place or rights.", section->name);
    for (size_t i = 0; i < SECTION_NAME_NBYTES && !is_old_name(&judged->old_image, header); i++)
        if (header[SECTION_NAME + i] >= 0x7F ||
            (header[SECTION_NAME + i] != 0 && header[SECTION_NAME + i] <= 0x20))
            return verify_refute(judged, spot_of(moves, section), "Section %s has a name that is no text.",
                                 section->name);
    if ((flags & ~known) || !(flags & SCN_MEM_READ))
        return verify_refute(judged, spot_of(moves, section), "Section %s has rights 0x%X.", section->name,
                             (unsigned)flags);
    uint32_t needless = flags & (SCN_MEM_EXECUTE | SCN_MEM_WRITE) & ~verify_rights_of_content(moves, section);
    /* A store that is not seen may be why something is writable: a right too many stops no driver. */
    if (needless == SCN_MEM_WRITE && judged->verdict->result != VERIFY_REFUTED)
        judged->verdict->right_not_shown = judged->verdict->meaning_not_shown = true;
    if (needless)
        return verify_refute(judged, spot_of(moves, section), "Section %s is %s, but holds nothing that was.",
                             section->name, needless & SCN_MEM_EXECUTE ? "executable" : "writable");
    bool has_paging_name = header[SECTION_NAME] == 0 || is_paged_name(section->name);
    if (has_paging_name && !is_old_relocation_section(moves, section)) /* the loader reads it once */
        return verify_refute(judged, spot_of(moves, section),
                             "Section %s is paged, or kept from it, by its name; its content was not.",
                             section->name);
    if ((flags & SCN_MEM_DISCARDABLE) && !holds_relocations_only(moves, section))
        return verify_refute(judged, spot_of(moves, section),
                             "Section %s is discardable, but holds more than base relocations.",
                             section->name);
    uint32_t table_rva = judged->new_image.directory_count > DIR_BASERELOC
                             ? judged->new_image.directories[DIR_BASERELOC].rva
                             : 0;
    if (!(flags & SCN_MEM_DISCARDABLE) && table_rva >= section->rva &&
        table_rva - section->rva < section->memory_nbytes && holds_relocations_only(moves, section))
        /* It only stays in memory longer than it has to: an address at its begin may be the end of an array.
         */
        return verify_moves_unproved(moves, section->rva,
                                     "Section %s holds nothing but base relocations and is not discardable.",
                                     section->name);
    return true;
}

/* Judged once for each section. */
static bool allows_missing_write(struct verify_moves *moves, const struct verify_piece *piece)
{
    if (piece->is_slots)
        return true; /* judged by check_slots */
    if (piece->is_data_run)
        return verify_moves_unproved(moves, piece->rva,
                                     "Data at RVA 0x%X, in a section that was writable, can no longer be "
                                     "written.",
                                     (unsigned)piece->rva);
    if (moves->unwritten_section == piece->section)
        return true;
    moves->unwritten_section = piece->section;
    return verify_loses_write(moves, piece->section);
}

/* Judged once for each section. */
static bool allows_missing_execute(struct verify_moves *moves, const struct verify_piece *piece,
                                   const struct verify_section *section)
{
    if (piece->is_slots || piece->is_data_run)
        return true; /* judged by check_slots() and verify_moved_split() */
    if (piece->delta != 0 || verify_header_origin(moves, section->index) != HEADER_LOST_EXECUTE)
        return false;
    if (moves->unexecuted_section != piece->section && !verify_loses_execute(moves, piece->section))
        return false;
    moves->unexecuted_section = piece->section;
    return true;
}

/* Whether [stated_end_rva, end_rva) of the new image, behind a section's VirtualSize, is mapped as it was:
 * the old VirtualSize left it out as well, and the rest of a page is mapped all the same. */
static bool is_mapped_tail(const struct verify_moves *moves, const struct verify_piece *piece,
                           uint64_t stated_end_rva, uint64_t end_rva)
{
    const struct verify_section *old_section = piece->section;
    bool was_by_pages = moves->judged->old_image.section_alignment >= PAGE_NBYTES;
    int64_t old_stated_end_rva = (int64_t)old_section->rva + old_section->virtual_nbytes;
    uint64_t mapped_end_rva = (stated_end_rva + PAGE_NBYTES - 1) / PAGE_NBYTES * PAGE_NBYTES;
    return was_by_pages && piece->delta % PAGE_NBYTES == 0 && old_section->virtual_nbytes != 0 &&
           (int64_t)stated_end_rva - piece->delta >= old_stated_end_rva && end_rva <= mapped_end_rva;
}

/* Each section of the new image that holds a byte of the piece gives at least the rights that it needs. */
static bool check_piece(struct verify_moves *moves, const struct verify_piece *piece)
{
    struct verify_case *judged = moves->judged;
    uint64_t rva = (uint64_t)((int64_t)piece->rva + piece->delta);
    uint64_t end_rva = (uint64_t)((int64_t)piece->end_rva + piece->delta);
    uint32_t had = piece->section->characteristics;
    if (had & (SCN_MEM_SHARED | SCN_MEM_NOT_CACHED))
        return verify_moves_unproved(moves, piece->rva, "Section %s is shared or not cached.",
                                     piece->section->name);
    while (rva < end_rva) {
        const struct verify_section *section =
            rva > UINT32_MAX ? NULL : verify_section_at(&judged->new_image, (uint32_t)rva);
        if (!section)
            return verify_refute(judged, (struct verify_spot){false, UINT64_MAX, (uint32_t)rva},
                                 "RVA 0x%llX, where RVA 0x%X of the old image went, is in no section.",
                                 (unsigned long long)rva, (unsigned)piece->rva);
        uint32_t has = section->characteristics;
        bool has_left = piece->is_slots || piece->is_data_run;
        if (piece->is_data_run && (has & SCN_MEM_EXECUTE))
            return verify_refute(judged, spot_of(moves, section),
                                 "Section %s is executable, but holds data that left an executable section.",
                                 section->name);
        if ((had & SCN_MEM_EXECUTE) && !(has & SCN_MEM_EXECUTE) &&
            !allows_missing_execute(moves, piece, section))
            return verify_refute(
                judged, spot_of(moves, section),
                "Section %s is not executable, but holds code from RVA 0x%X of the old image.", section->name,
                (unsigned)piece->rva);
        if (!has_left && !(had & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) && (had & SCN_MEM_WRITE) &&
            (has & SCN_MEM_EXECUTE))
            return verify_refute(judged, spot_of(moves, section),
                                 "Section %s is executable, but holds writable data from RVA 0x%X of the old "
                                 "image.",
                                 section->name, (unsigned)piece->rva);
        if ((had & SCN_MEM_WRITE) && !(has & SCN_MEM_WRITE) && !allows_missing_write(moves, piece))
            return verify_refute(
                judged, spot_of(moves, section),
                "Section %s is not writable, but holds writable data from RVA 0x%X of the old "
                "image.",
                section->name, (unsigned)piece->rva);
        uint64_t last_rva = (uint64_t)section->rva + section->memory_nbytes;
        last_rva = last_rva < end_rva ? last_rva : end_rva;
        uint64_t stated_end_rva = (uint64_t)section->rva + section->virtual_nbytes;
        if (section->virtual_nbytes != 0 && last_rva > stated_end_rva &&
            !is_mapped_tail(moves, piece, stated_end_rva, last_rva))
            return verify_refute(judged, spot_of(moves, section),
                                 "VirtualSize of section %s leaves out content up to RVA 0x%llX.",
                                 section->name, (unsigned long long)last_rva);
        rva = (uint64_t)section->rva + section->memory_nbytes;
    }
    return true;
}

bool verify_moved_sections(struct verify_moves *moves)
{
    for (uint32_t i = 0; i < moves->judged->new_image.section_count; i++)
        if (!check_header(moves, i))
            return false;
    for (size_t i = 0; i < moves->map.count; i++)
        if (!check_piece(moves, &moves->map.pieces[i]))
            return false;
    return verify_moved_slots(moves) && verify_constants_are_protected(moves) && verify_moved_sizes(moves);
}
