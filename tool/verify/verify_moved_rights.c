/* verify_moved_rights.c - which rights the content of a section asks for, and whose header it has.
 * Takes: struct verify_moves.  Gives: see the header.  Must not: judge a section by its name alone. */
#include "verify/verify_moved_rights.h"
#include "verify/verify_repairs.h"

bool verify_needs_write(const char *what)
{
    return strstr(what, "cookie") || strstr(what, "delay") || strstr(what, "TLS") || strstr(what, "LOCK");
}

bool verify_has_name_of(const struct verify_moves *moves, const struct verify_section *old_section,
                        const struct verify_section *section)
{
    return memcmp(moves->judged->old_image.file.bytes + old_section->header_foff,
                  moves->judged->new_image.file.bytes + section->header_foff, SECTION_NAME_NBYTES) == 0;
}

/* What is not code and not written anew keeps its size, too. */
static bool has_size_of(const struct verify_moves *moves, const struct verify_section *old_section,
                        const struct verify_section *section)
{
    const struct verify_image *a = &moves->judged->old_image;
    uint32_t table_rva = a->directory_count > DIR_BASERELOC ? a->directories[DIR_BASERELOC].rva : 0;
    bool may_resize =
        (old_section->characteristics & SCN_MEM_EXECUTE) ||
        (table_rva >= old_section->rva && table_rva - old_section->rva < old_section->memory_nbytes);
    return may_resize || old_section->virtual_nbytes == section->virtual_nbytes;
}

/* Some content of the old section lies where it lay; or it has none, but its name is still there. */
static bool is_in_place(const struct verify_moves *moves, const struct verify_section *old_section,
                        const struct verify_section *section)
{
    bool has_content = false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->section != old_section || piece->is_slots || piece->is_data_run)
            continue;
        if (piece->delta == 0)
            return true;
        has_content = true;
    }
    return !has_content && section->rva == old_section->rva &&
           verify_has_name_of(moves, old_section, section);
}

/* All content of the old section, but for slots that have a place of their own, lies in this one and nothing
 * else does. */
static bool holds_all_of(const struct verify_moves *moves, const struct verify_section *old_section,
                         const struct verify_section *section)
{
    int64_t delta = (int64_t)section->rva - (int64_t)old_section->rva;
    int64_t end_rva = (int64_t)section->rva + section->memory_nbytes;
    bool has_content = false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        int64_t rva = (int64_t)piece->rva + piece->delta, last_rva = (int64_t)piece->end_rva + piece->delta;
        if (piece->section == old_section && piece->delta == delta)
            has_content = true;
        else if ((piece->section == old_section && !piece->is_slots) ||
                 (rva < end_rva && last_rva > (int64_t)section->rva))
            return false;
    }
    return has_content;
}

static bool went_with_content(const struct verify_moves *moves, const struct verify_section *section)
{
    const struct verify_image *a = &moves->judged->old_image;
    for (uint32_t i = 0; i < a->section_count; i++)
        if (a->sections[i].characteristics == section->characteristics &&
            verify_has_name_of(moves, &a->sections[i], section) &&
            has_size_of(moves, &a->sections[i], section) && holds_all_of(moves, &a->sections[i], section))
            return true;
    return false;
}

static const struct verify_section *begins_at(const struct verify_image *image, uint32_t rva)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].rva == rva)
            return &image->sections[i];
    return NULL;
}

/* The old section whose header this one may be, if its content stayed: the one that began there; else the one
 * of the same number, when none begins where that did. */
static const struct verify_section *old_section_of(const struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    const struct verify_section *there = begins_at(a, b->sections[index].rva);
    if (there)
        return there;
    return index < a->section_count && !begins_at(b, a->sections[index].rva) ? &a->sections[index] : NULL;
}

enum verify_header_origin verify_header_origin(const struct verify_moves *moves, uint32_t index)
{
    const struct verify_image *a = &moves->judged->old_image;
    const struct verify_section *section = &moves->judged->new_image.sections[index];
    if (a->section_alignment < PAGE_NBYTES)
        return HEADER_NEW;
    const struct verify_section *old_section = old_section_of(moves, index);
    if (old_section && verify_has_name_of(moves, old_section, section) &&
        has_size_of(moves, old_section, section) && old_section->rva == section->rva) {
        if (section->characteristics == old_section->characteristics)
            return HEADER_KEPT;
        if ((section->characteristics | SCN_MEM_WRITE) == old_section->characteristics)
            return HEADER_LOST_WRITE;
        if (verify_gave_up_execute(old_section, section))
            return HEADER_LOST_EXECUTE;
    }
    if (old_section && is_in_place(moves, old_section, section))
        return HEADER_CHANGED;
    return went_with_content(moves, section) ? HEADER_MOVED : HEADER_NEW;
}

static bool is_written(const struct verify_moves *moves, const struct verify_piece *piece)
{
    /* All pages of a flat image were writable, and what is stored to need not be marked so. */
    bool is_flat = moves->judged->old_image.section_alignment < PAGE_NBYTES;
    return !piece->is_code && !piece->is_slots &&
           ((piece->section->characteristics & SCN_MEM_WRITE) ||
            (is_flat && moves->stored_sections[piece->section->index]));
}

uint32_t verify_rights_of_content(const struct verify_moves *moves, const struct verify_section *section)
{
    uint64_t first_rva = section->rva, end_rva = (uint64_t)section->rva + section->memory_nbytes;
    uint32_t rights = 0;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        int64_t rva = (int64_t)piece->rva + piece->delta, last_rva = (int64_t)piece->end_rva + piece->delta;
        if (rva >= (int64_t)end_rva || last_rva <= (int64_t)first_rva)
            continue;
        if (piece->is_code)
            rights |= SCN_MEM_EXECUTE;
        if (is_written(moves, piece))
            rights |= SCN_MEM_WRITE;
    }
    for (size_t i = 0; i < moves->new_tables.written.count; i++) {
        const struct verify_range *range = &moves->new_tables.written.items[i];
        if (range->rva < end_rva && range->end_rva > first_rva && verify_needs_write(range->what))
            rights |= SCN_MEM_WRITE;
    }
    for (size_t i = 0; i < verify_repairs_range_count(moves); i++) {
        struct verify_range made = verify_repairs_range(moves, i);
        if (made.rva < end_rva && made.end_rva > first_rva)
            rights |= SCN_MEM_EXECUTE | SCN_MEM_WRITE;
    }
    return rights;
}

static void mark_pages(uint8_t *pages, size_t page_count, uint64_t rva, uint64_t end_rva)
{
    for (uint64_t page = rva / PAGE_NBYTES; rva < end_rva && page <= (end_rva - 1) / PAGE_NBYTES; page++)
        if (page < page_count)
            pages[page] = 1;
}

/* One byte for each page of the new image: 1 when something on it was written before. */
static uint8_t *written_pages(const struct verify_moves *moves, size_t *page_count)
{
    *page_count = moves->judged->new_image.image_nbytes / PAGE_NBYTES + 1;
    uint8_t *pages = arena_alloc(moves->judged->arena, *page_count);
    for (size_t i = 0; pages && i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (is_written(moves, piece))
            mark_pages(pages, *page_count, (uint64_t)((int64_t)piece->rva + piece->delta),
                       (uint64_t)((int64_t)piece->end_rva + piece->delta));
    }
    for (size_t i = 0; pages && i < moves->new_tables.written.count; i++)
        if (verify_needs_write(moves->new_tables.written.items[i].what))
            mark_pages(pages, *page_count, moves->new_tables.written.items[i].rva,
                       moves->new_tables.written.items[i].end_rva);
    return pages;
}

bool verify_constants_are_protected(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->new_image;
    size_t page_count;
    uint8_t *pages = written_pages(moves, &page_count);
    if (!pages || moves->judged->old_image.section_alignment < PAGE_NBYTES)
        return pages != NULL;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        uint64_t rva = (uint64_t)((int64_t)piece->rva + piece->delta);
        uint64_t end_rva = (uint64_t)((int64_t)piece->end_rva + piece->delta);
        if (piece->section->characteristics & SCN_MEM_WRITE)
            continue;
        for (; rva < end_rva; rva = (rva / PAGE_NBYTES + 1) * PAGE_NBYTES) {
            const struct verify_section *section =
                rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)rva);
            if (section && (section->characteristics & SCN_MEM_WRITE) &&
                !(rva / PAGE_NBYTES < page_count && pages[rva / PAGE_NBYTES]))
                return verify_refute(
                    moves->judged, verify_spot_rva(moves->judged, (uint32_t)rva),
                    "Section %s lets RVA 0x%llX be written, which could not be at RVA 0x%X of the old image.",
                    section->name, (unsigned long long)rva, (unsigned)((int64_t)rva - piece->delta));
        }
    }
    return true;
}

bool verify_constants_are_writable(const struct verify_moves *moves)
{
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        int64_t rva = (int64_t)piece->rva + piece->delta;
        const struct verify_section *section = verify_section_at(&moves->judged->new_image, (uint32_t)rva);
        if (!piece->is_code && !is_written(moves, piece) && section &&
            !(piece->section->characteristics & SCN_MEM_WRITE) && (section->characteristics & SCN_MEM_WRITE))
            return true;
    }
    return false;
}
