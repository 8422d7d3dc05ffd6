/* verify_table_sections.c - says of each piece whether its section is nothing but tables.
 * Takes: the typed ranges of the old image.  Gives: is_table of the pieces.
 * Must not: count bytes that no table has, but for zeros between two that have an aligned begin. */
#include "verify/verify_table_sections.h"

#include <string.h>

enum { TABLE_ALIGN_NBYTES = 16 };

bool verify_is_debug_section(const struct verify_section *section)
{
    const uint32_t rights = SCN_MEM_DISCARDABLE | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_EXECUTE;
    return (section->name[0] == '/' || strncmp(section->name, ".debug", 6) == 0) &&
           (section->characteristics & rights) == (SCN_MEM_DISCARDABLE | SCN_MEM_READ);
}

/* The first typed range that ends behind rva; count when there is none. */
static size_t first_behind(const struct verify_range_list *list, uint64_t rva)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].end_rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* At most a few bytes that no table has lie between two that have them, and all of them are zero. */
static bool is_all_tables(const struct verify_moves *moves, const struct verify_section *section)
{
    const struct verify_range_list *typed = &moves->inert;
    uint64_t nbytes = section->virtual_nbytes != 0 ? section->virtual_nbytes : section->bytes.nbytes;
    uint64_t rva = section->rva, end_rva = rva + nbytes;
    bool has_table = false;
    if (nbytes > section->bytes.nbytes)
        return false;
    for (size_t i = first_behind(typed, rva); rva < end_rva; i++) {
        uint64_t begin_rva =
            i < typed->count && typed->items[i].rva < end_rva ? typed->items[i].rva : end_rva;
        if (begin_rva > rva && begin_rva - rva >= TABLE_ALIGN_NBYTES)
            return false;
        for (; rva < begin_rva; rva++)
            if (section->bytes.bytes[rva - section->rva] != 0)
                return false;
        moves->judged->verdict->step_count++;
        if (rva == end_rva)
            break;
        has_table = true;
        rva = typed->items[i].end_rva;
    }
    return has_table;
}

bool verify_mark_tables(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    bool *is_table = arena_array(moves->judged->arena, image->section_count, sizeof *is_table);
    if (!is_table)
        return false;
    for (uint32_t i = 0; i < image->section_count && image->section_alignment >= PAGE_NBYTES; i++) {
        const struct verify_section *section = &image->sections[i];
        is_table[i] = !(section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) &&
                      (verify_is_debug_section(section) || is_all_tables(moves, section));
    }
    for (size_t i = 0; i < moves->map.count; i++)
        moves->map.pieces[i].is_table = is_table[moves->map.pieces[i].section->index];
    return true;
}
