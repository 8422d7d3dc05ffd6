/* verify_repairs.c - the common ground of the repairs of straddling relocations, and their part of the
 * verdict. Takes: struct verify_moves.  Gives: lists of what the repair added. Must not: leave a byte of new
 * code unexplained, or a straddler behind a repair. */
#include "verify/verify_repairs.h"
#include "verify/verify_relocations.h"

#include <stdlib.h>

bool verify_repairs_add(struct verify_moves *moves, uint32_t rva, uint64_t nbytes, const char *what)
{
    return verify_range_add(moves->judged->arena, &moves->repairs.made, rva, nbytes, what);
}

bool verify_repairs_add_site(struct verify_moves *moves, uint32_t rva)
{
    struct verify_repairs *repairs = &moves->repairs;
    uint32_t *added = arena_grow(moves->judged->arena, repairs->added, repairs->added_count,
                                 &repairs->added_capacity, repairs->added_count + 1, sizeof *added);
    if (!added)
        return false;
    repairs->added = added;
    repairs->added[repairs->added_count++] = rva;
    return true;
}

bool verify_is_from_old(const struct verify_map *map, uint32_t rva)
{
    for (size_t i = 0; i < map->count; i++) {
        int64_t old_rva = (int64_t)rva - map->pieces[i].delta;
        if (old_rva >= map->pieces[i].rva && old_rva < map->pieces[i].end_rva)
            return true;
    }
    return false;
}

bool verify_mapped_rva(const struct verify_map *map, uint32_t rva, uint32_t *new_rva)
{
    const struct verify_piece *piece = verify_piece_at(map, rva);
    if (piece)
        *new_rva = (uint32_t)((int64_t)rva + piece->delta);
    return piece != NULL;
}

size_t verify_repairs_range_count(const struct verify_moves *moves)
{
    return moves->repairs.made.count;
}

struct verify_range verify_repairs_range(const struct verify_moves *moves, size_t i)
{
    return moves->repairs.made.items[i];
}

static int compare_sites(const void *left, const void *right)
{
    const struct verify_site *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

/* Each entry of the stub's table is a relocation of the old image. What is left stays in the table. */
static bool take_applied(struct verify_moves *moves, struct verify_site *sites, size_t *count)
{
    struct verify_case *judged = moves->judged;
    struct verify_repairs *repairs = &moves->repairs;
    unsigned nbytes = judged->old_image.is_64 ? 8 : 4;
    size_t kept = 0, next = 0;
    for (size_t i = 0; i < *count; i++) {
        struct verify_site site = sites[i];
        judged->verdict->step_count++;
        if (next < repairs->applied_count && repairs->applied[next].rva < site.rva)
            break;
        if (next == repairs->applied_count || repairs->applied[next].rva != site.rva) {
            sites[kept++] = site;
            continue;
        }
        bool overlaps = (i + 1 < *count && sites[i + 1].rva - site.rva < nbytes) ||
                        (i > 0 && kept > 0 && site.rva - sites[kept - 1].rva < nbytes) ||
                        (next > 0 && site.rva - repairs->applied[next - 1].rva < nbytes);
        if (overlaps)
            return verify_moves_unproved(moves, site.old_rva,
                                         "The relocated field at RVA 0x%X overlaps another one.",
                                         (unsigned)site.old_rva);
        if (!verify_applied_is_safe(moves, site.old_rva, site.rva, repairs->applied[next].entry_rva))
            return false;
        repairs->applied[next].old_rva = site.old_rva;
        next++;
    }
    if (next < repairs->applied_count)
        return verify_refute(
            judged, verify_spot_rva(judged, repairs->applied[next].entry_rva),
            "The start-up stub's table at RVA 0x%X leads to RVA 0x%X, where the old image has "
            "no base relocation.",
            (unsigned)repairs->applied[next].entry_rva, (unsigned)repairs->applied[next].rva);
    *count = kept;
    return verify_applied_judge(moves);
}

bool verify_repairs_straddlers(struct verify_moves *moves, const struct verify_site *sites, size_t count)
{
    struct verify_case *judged = moves->judged;
    unsigned nbytes = judged->old_image.is_64 ? 8 : 4;
    bool is_repair = moves->repairs.stub_count != 0 || moves->repairs.copy_count != 0;
    for (size_t i = 0; i < count; i++) {
        bool did = sites[i].old_rva != UINT32_MAX && verify_straddles(sites[i].old_rva, nbytes);
        if (!verify_straddles(sites[i].rva, nbytes) || (did && !is_repair))
            continue;
        return verify_refute(judged, verify_spot_rva(judged, sites[i].rva),
                             "The base relocation at RVA 0x%X of the new image straddles a page; %s.",
                             (unsigned)sites[i].rva,
                             did ? "the others were repaired" : "no such one did in the old image");
    }
    return true;
}

bool verify_repairs_sites(struct verify_moves *moves, struct verify_site **sites, size_t *count,
                          size_t capacity)
{
    struct verify_repairs *repairs = &moves->repairs;
    struct verify_case *judged = moves->judged;
    unsigned type = judged->old_image.is_64 ? BASERELOC_DIR64 : BASERELOC_HIGHLOW;
    size_t old_count = *count;
    if (!take_applied(moves, *sites, count))
        return false;
    if (repairs->added_count != 0) {
        struct verify_site *grown = arena_grow(judged->arena, *sites, *count, &capacity,
                                               *count + repairs->added_count, sizeof *grown);
        if (!grown)
            return false;
        *sites = grown;
        for (size_t i = 0; i < repairs->added_count; i++)
            grown[(*count)++] = (struct verify_site){repairs->added[i], UINT32_MAX, type};
        qsort(grown, *count, sizeof *grown, compare_sites);
    }
    if (old_count != 0 && *count == 0 && !verify_has_relocations(&judged->new_image))
        return verify_refute(
            judged,
            verify_spot_foff(judged, judged->new_image.directories_foff +
                                         (uint64_t)DIR_BASERELOC * DIRECTORY_ENTRY_NBYTES),
            "The new image has no base relocation directory, so that it can no longer be moved.");
    return true;
}

/* No two parts of the repair share a byte. */
static bool check_overlaps(struct verify_moves *moves)
{
    struct verify_range_list *made = &moves->repairs.made;
    if (made->count > 1)
        verify_ranges_sort(made->items, made->count);
    for (size_t i = 1; i < made->count; i++)
        if (made->items[i].rva < made->items[i - 1].end_rva)
            return verify_refute(moves->judged, verify_spot_rva(moves->judged, (uint32_t)made->items[i].rva),
                                 "In the new image %s at RVA 0x%llX overlaps %s.", made->items[i].what,
                                 (unsigned long long)made->items[i].rva, made->items[i - 1].what);
    return true;
}

bool verify_repairs_find(struct verify_moves *moves)
{
    return verify_shifts_judge(moves) && verify_stubs_find(moves) && verify_copies_find(moves) &&
           check_overlaps(moves);
}

static bool is_code_section(const struct verify_section *section)
{
    return (section->characteristics & SCN_MEM_EXECUTE) != 0;
}

/* In a section that holds nothing but the repair's code, all the rest is int3: nothing there runs by chance.
 */
static bool check_between(struct verify_moves *moves, const struct verify_section *section)
{
    struct verify_case *judged = moves->judged;
    const struct verify_range_list *made = &moves->repairs.made;
    size_t i = 0;
    for (uint32_t at = 0; at < section->bytes.nbytes && at < section->virtual_nbytes; at++) {
        uint64_t rva = (uint64_t)section->rva + at;
        judged->verdict->step_count++;
        while (i < made->count && made->items[i].end_rva <= rva)
            i++;
        if ((i < made->count && made->items[i].rva <= rva) || section->bytes.bytes[at] == 0xCC)
            continue;
        return verify_refute(judged, verify_spot_rva(judged, (uint32_t)rva),
                             "The byte at RVA 0x%llX of the new image, between the parts of the repair, is "
                             "0x%02X, not int3.",
                             (unsigned long long)rva, section->bytes.bytes[at]);
    }
    return true;
}

static bool holds_old_content(const struct verify_moves *moves, const struct verify_section *section)
{
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        int64_t rva = (int64_t)piece->rva + piece->delta, end_rva = (int64_t)piece->end_rva + piece->delta;
        if (rva < (int64_t)section->rva + section->memory_nbytes && end_rva > (int64_t)section->rva)
            return true;
    }
    return false;
}

bool verify_repairs_rest(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->new_image;
    struct verify_range_list *made = &moves->repairs.made;
    struct verify_directory table = image->directory_count > DIR_BASERELOC ? image->directories[DIR_BASERELOC]
                                                                           : (struct verify_directory){0, 0};
    if (!check_overlaps(moves)) /* again: the guard table was found after the first time */
        return false;
    for (size_t i = 0; i < made->count; i++)
        if (ranges_overlap(made->items[i].rva, made->items[i].end_rva - made->items[i].rva, table.rva,
                           table.nbytes))
            return verify_refute(moves->judged, verify_spot_rva(moves->judged, (uint32_t)made->items[i].rva),
                                 "The new base relocations overlap %s.", made->items[i].what);
    size_t next = 0;
    for (uint32_t i = 0; i < image->section_count && next < made->count; i++) {
        const struct verify_section *section = &image->sections[i];
        uint64_t end_rva = (uint64_t)section->rva + section->memory_nbytes;
        size_t first = next;
        while (next < made->count && made->items[next].rva < end_rva)
            next++;
        if (next != first && is_code_section(section) && !holds_old_content(moves, section) &&
            !check_between(moves, section))
            return false;
    }
    return true;
}

static bool explain_one(struct verify_moves *moves, const char *field, uint32_t old_rva, uint32_t new_rva,
                        const char *why)
{
    uint64_t foff = moves->judged->new_image.section_table_foff;
    verify_rva_to_foff(&moves->judged->new_image, new_rva, 1, &foff);
    return verify_explain(moves->judged, &(struct verify_difference){.field = field,
                                                                     .file_offset = foff,
                                                                     .old_value = old_rva,
                                                                     .new_value = new_rva,
                                                                     .width_nbytes = 4,
                                                                     .why_allowed = why,
                                                                     .assumed = true});
}

bool verify_repairs_explain(struct verify_moves *moves)
{
    const struct verify_repairs *repairs = &moves->repairs;
    struct arena *arena = moves->judged->arena;
    const char *why = arena_printf(
        arena,
        "a start-up stub of the known form applies %zu base relocations that straddled a page, once, and "
        "goes on "
        "to what was there. Assumed: nothing reads these fields before the driver's own entry points run",
        repairs->applied_count);
    for (size_t i = 0; i < repairs->stub_count; i++)
        if (!explain_one(moves, repairs->stubs[i].what, repairs->stubs[i].function_rva, repairs->stubs[i].rva,
                         why))
            return false;
    for (size_t i = 0; i < repairs->copy_count; i++)
        if (!explain_one(moves, "an instruction with a straddling operand (RVA)", repairs->copies[i].rva,
                         repairs->copies[i].copy_rva,
                         "its place holds a jump to the same instruction, which jumps back. Assumed: no code "
                         "computes an address inside it or reads it as data"))
            return false;
    return true;
}
