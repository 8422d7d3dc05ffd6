/* verify_map_slots.c - cuts what the loader writes out of the sections, with the place that its tables give.
 * Takes: the tables of both images.  Gives: pieces that are slots.  Must not: pair tables of another kind or
 * length. */
#include "verify/verify_map_internal.h"

/* Cuts [rva, end_rva) with its own distance out of the piece that holds it. */
static bool cut_out(struct map_search *search, uint64_t rva, uint64_t end_rva, int64_t delta)
{
    struct verify_map *map = search->map;
    for (size_t i = 0; i < map->count; i++) {
        struct verify_piece whole = map->pieces[i];
        if (rva < whole.rva || rva >= whole.end_rva || whole.delta == delta)
            continue;
        if (end_rva > whole.end_rva)
            return map_not_found(search, whole.rva, whole.section->name);
        struct verify_piece slots = {.rva = (uint32_t)rva,
                                     .end_rva = (uint32_t)end_rva,
                                     .delta = delta,
                                     .section = whole.section,
                                     .is_slots = true};
        struct verify_piece behind = whole;
        behind.rva = (uint32_t)end_rva;
        map->pieces[i].end_rva = (uint32_t)rva;
        if (!map_append(search, slots) || !map_append(search, behind))
            return false;
        map_sort(map);
        return true;
    }
    return true;
}

static bool is_whole_iat(const struct verify_range *range)
{
    return strcmp(range->what, "the IAT (data directory 12)") == 0;
}

static size_t skip_iat(const struct verify_range_list *list, size_t i)
{
    while (i < list->count && is_whole_iat(&list->items[i]))
        i++;
    return i;
}

/* Slots of a section that was shifted as a whole. */
static bool went_with_section(const struct verify_map *map, uint64_t rva, int64_t delta)
{
    const struct verify_piece *piece = verify_piece_at(map, rva);
    return piece && piece->delta == delta;
}

/* The zero behind the last slot is counted with them, though nobody needs it. Where another byte stands
 * instead, it is not known whose it is. */
static bool has_its_end(const struct map_search *search, const struct verify_range *slots)
{
    const struct verify_image *image = &search->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t last = 0;
    return !strstr(slots->what, "FirstThunk") || slots->end_rva - slots->rva < width_nbytes ||
           !verify_read_at(image, slots->end_rva - width_nbytes, width_nbytes, &last) || last == 0;
}

/* Both lists come from the same walk over the same tables, so their entries pair off. */
bool map_place_slots(struct map_search *search)
{
    const struct verify_range_list *old_list = &search->old_tables->written;
    const struct verify_range_list *new_list = &search->new_tables->written;
    size_t i = skip_iat(old_list, 0), k = skip_iat(new_list, 0);
    for (; i < old_list->count && k < new_list->count;
         i = skip_iat(old_list, i + 1), k = skip_iat(new_list, k + 1)) {
        const struct verify_range *a = &old_list->items[i], *b = &new_list->items[k];
        int64_t delta = (int64_t)b->rva - (int64_t)a->rva;
        bool fits = delta % PAGE_NBYTES == 0 || went_with_section(search->map, a->rva, delta);
        if (strcmp(a->what, b->what) != 0 || a->end_rva - a->rva != b->end_rva - b->rva || !fits)
            return verify_refute(search->judged, (struct verify_spot){true, UINT64_MAX, (uint32_t)a->rva},
                                 "%s at RVA 0x%llX of the old image is not the same in the new one, at RVA "
                                 "0x%llX.",
                                 a->what, (unsigned long long)a->rva, (unsigned long long)b->rva);
        const struct verify_piece *piece = verify_piece_at(search->map, a->rva);
        if (piece && piece->delta != delta && !has_its_end(search, a))
            return map_not_found(search, (uint32_t)a->rva, piece->section->name);
        if (!cut_out(search, a->rva, a->end_rva, delta))
            return false;
    }
    bool is_lost = i < old_list->count;
    if (is_lost || k < new_list->count) {
        const struct verify_range *alone = is_lost ? &old_list->items[i] : &new_list->items[k];
        return verify_refute(search->judged, (struct verify_spot){is_lost, UINT64_MAX, (uint32_t)alone->rva},
                             "%s at RVA 0x%llX of the %s image is not in the other one.", alone->what,
                             (unsigned long long)alone->rva, is_lost ? "old" : "new");
    }
    map_sort(search->map);
    return true;
}
