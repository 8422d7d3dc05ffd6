/* verify_moved_relocations.c - base relocations of both images against the map.
 * Takes: struct verify_moves.  Gives: a field for each relocated address; a counter-example when the new
 * table is not exactly the mapped one.  Must not: accept a duplicate in the old table. */
#include "verify/verify_relocated.h"

#include <stdlib.h>

static const struct verify_moved_field *table_field(const struct verify_moves *moves, uint32_t rva)
{
    size_t low = 0, high = moves->table_field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moves->fields[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->table_field_count && moves->fields[low].rva == rva ? &moves->fields[low] : NULL;
}

static int compare_sites(const void *left, const void *right)
{
    const struct verify_site *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

bool verify_moved_relocations(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    struct verify_site *sites = NULL;
    size_t count = 0, capacity = 0, own_slot_count = 0;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        const struct verify_piece *piece = verify_piece_at(&moves->map, relocation.rva);
        moves->judged->verdict->step_count++;
        if (nbytes != (image->is_64 ? 8u : 4u))
            return verify_moves_unproved(moves, relocation.rva,
                                         "The base relocation at RVA 0x%X has a type that is not read here.",
                                         (unsigned)relocation.rva);
        if (!piece || piece->end_rva - relocation.rva < nbytes)
            return verify_moves_unproved(moves, relocation.rva,
                                         "The base relocation at RVA 0x%X is not in one piece.",
                                         (unsigned)relocation.rva);
        struct verify_site *grown =
            arena_grow(moves->judged->arena, sites, count, &capacity, count + 1, sizeof *sites);
        if (!grown)
            return false;
        sites = grown;
        uint32_t new_rva = (uint32_t)((int64_t)relocation.rva + piece->delta);
        verify_copied_site(moves, relocation.rva, &new_rva);
        sites[count++] = (struct verify_site){new_rva, relocation.rva, relocation.type};
        const struct verify_moved_field *field = table_field(moves, relocation.rva);
        own_slot_count += field && field->what == verify_own_slot;
        if (!field && !verify_relocated_address(moves, &relocation, piece))
            return false;
    }
    if (reader.problem)
        return verify_moves_unproved(moves, UINT32_MAX, "In the old image %s.", reader.problem);
    if (count > 1)
        qsort(sites, count, sizeof *sites, compare_sites);
    for (size_t i = 1; i < count; i++)
        if (sites[i].rva == sites[i - 1].rva)
            return verify_moves_unproved(moves, sites[i].old_rva,
                                         "The old image has two base relocations at RVA 0x%X.",
                                         (unsigned)sites[i].old_rva);
    if (own_slot_count != moves->own_slot_count)
        return verify_moves_unproved(
            moves, UINT32_MAX,
            "An import slot holds the address of a function of the image, but no base "
            "relocation names it.");
    return verify_repairs_sites(moves, &sites, &count, capacity) &&
           verify_relocations_are(moves, sites, count) && verify_repairs_straddlers(moves, sites, count) &&
           verify_relocations_are_plain(moves->judged);
}
