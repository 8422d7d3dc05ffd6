/* verify_map.c - guesses where each old section and each loader-written part of it went.
 * Takes: two images.  Gives: struct verify_map.  Must not: look at more than a fixed number of candidates per
 * section, or of bytes per candidate. */
#include "verify/verify_map.h"
#include "verify/verify_repairs.h"

#include <stdlib.h>

enum { CANDIDATE_MAX_COUNT = 400, SAMPLE_COUNT = 2048, SECTION_SHIFT_COUNT = 2, EXTENSION_NBYTES = 64 };

struct candidates {
    int64_t deltas[CANDIDATE_MAX_COUNT];
    size_t count;
};

static void add_candidate(struct candidates *list, int64_t delta)
{
    if (delta % PAGE_NBYTES != 0 || list->count == CANDIDATE_MAX_COUNT)
        return;
    for (size_t i = 0; i < list->count; i++)
        if (list->deltas[i] == delta)
            return;
    list->deltas[list->count++] = delta;
}

bool verify_memory_byte(const struct verify_image *image, uint64_t rva, uint8_t *byte)
{
    const struct verify_section *section = rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)rva);
    if (!section)
        return false;
    uint32_t at = (uint32_t)rva - section->rva;
    *byte = at < section->bytes.nbytes ? section->bytes.bytes[at] : 0;
    return true;
}

/* Directories that exist in both, the entry point, and each place where a new section can begin. */
static void collect_candidates(const struct verify_case *judged, struct candidates *list)
{
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    list->count = 0;
    add_candidate(list, (int64_t)b->entry_rva - a->entry_rva);
    for (uint32_t i = 0; i < a->directory_count && i < b->directory_count; i++)
        if (i != DIR_SECURITY && i != DIR_BASERELOC && a->directories[i].rva && b->directories[i].rva)
            add_candidate(list, (int64_t)b->directories[i].rva - a->directories[i].rva);
    for (int64_t shift = 0; shift <= SECTION_SHIFT_COUNT; shift++)
        for (uint32_t i = 0; i < a->section_count; i++)
            for (uint32_t k = 0; k < b->section_count; k++)
                add_candidate(list, (int64_t)b->sections[k].rva + shift * PAGE_NBYTES -
                                        (int64_t)(a->sections[i].rva / PAGE_NBYTES * PAGE_NBYTES));
}

static bool is_padding(const struct verify_section *section, uint32_t at)
{
    if (at >= section->bytes.nbytes || section->bytes.bytes[at] == 0)
        return true;
    return section->bytes.bytes[at] == 0xCC && (section->characteristics & SCN_MEM_EXECUTE);
}

/* Raw bytes behind VirtualSize that are zero, or int3 in code, are the linker's padding, no content. */
static uint32_t content_nbytes(const struct verify_section *section)
{
    uint32_t nbytes = section->memory_nbytes;
    if (section->virtual_nbytes == 0)
        return nbytes;
    while (nbytes > section->virtual_nbytes && is_padding(section, nbytes - 1))
        nbytes--;
    return nbytes;
}

/* The base relocations are written anew: their bytes say nothing. */
static bool is_rebuilt(const struct verify_case *judged, uint64_t rva)
{
    const struct verify_image *image = &judged->old_image;
    return image->directory_count > DIR_BASERELOC && rva >= image->directories[DIR_BASERELOC].rva &&
           rva - image->directories[DIR_BASERELOC].rva < image->directories[DIR_BASERELOC].nbytes;
}

/* Samples of the section that are not the same at the distance; SIZE_MAX when it does not fit there. */
static size_t mismatches(struct verify_case *judged, const struct verify_section *section, int64_t delta)
{
    const struct verify_image *image = &judged->new_image;
    int64_t first = (int64_t)section->rva + delta, last = first + content_nbytes(section) - 1;
    size_t step = section->bytes.nbytes / SAMPLE_COUNT + 1, count = 0;
    uint8_t byte;
    if (first < 0 || last > UINT32_MAX)
        return SIZE_MAX;
    const struct verify_section *at_first = verify_section_at(image, (uint32_t)first);
    const struct verify_section *at_last = verify_section_at(image, (uint32_t)last);
    uint32_t needed = section->characteristics & (SCN_MEM_EXECUTE | SCN_MEM_WRITE);
    if (!at_first || !at_last)
        return SIZE_MAX;
    if (needed == SCN_MEM_WRITE && !(at_first->characteristics & SCN_MEM_WRITE))
        return SIZE_MAX;
    if ((needed & SCN_MEM_EXECUTE) && !(at_first->characteristics & SCN_MEM_EXECUTE))
        return SIZE_MAX;
    for (size_t i = 0; i < section->bytes.nbytes; i += step) {
        judged->verdict->step_count++;
        if (is_rebuilt(judged, (uint64_t)section->rva + i))
            continue;
        if (!verify_memory_byte(image, (uint64_t)first + i, &byte) || byte != section->bytes.bytes[i])
            count++;
    }
    return count;
}

static bool append(struct verify_case *judged, struct verify_map *map, struct verify_piece piece)
{
    struct verify_piece *grown = arena_grow(judged->arena, map->pieces, map->count, &map->capacity,
                                            map->count + 1, sizeof *map->pieces);
    if (!grown)
        return false;
    map->pieces = grown;
    map->pieces[map->count++] = piece;
    return true;
}

static bool not_found(struct verify_case *judged, uint32_t rva, const char *name)
{
    judged->verdict->right_not_shown = true;
    struct verify_spot spot = {true, UINT64_MAX, rva};
    return verify_refute(judged, spot, "It could not be found where section %s (RVA 0x%X) went.", name,
                         (unsigned)rva);
}

/* A directory that begins in the section says where it went; the next bytes may all be RVAs. */
static bool directory_delta(const struct verify_case *judged, const struct verify_section *section,
                            int64_t *delta)
{
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    for (uint32_t i = 0; i < a->directory_count && i < b->directory_count; i++) {
        uint32_t rva = a->directories[i].rva;
        *delta = (int64_t)b->directories[i].rva - rva;
        if (i != DIR_SECURITY && i != DIR_BASERELOC && i != DIR_IAT && rva >= section->rva &&
            rva - section->rva < section->memory_nbytes && b->directories[i].rva != 0 &&
            *delta % PAGE_NBYTES == 0)
            return true;
    }
    return false;
}

static bool is_zero(const struct verify_case *judged, uint64_t rva, uint64_t end_rva)
{
    uint8_t byte;
    for (; rva < end_rva; rva++)
        if (verify_memory_byte(&judged->old_image, rva, &byte) && byte != 0)
            return false;
    return true;
}

/* The base relocations have no new place: they are written anew. Zeros behind them are their padding. */
static bool append_around_relocations(struct verify_case *judged, struct verify_map *map,
                                      struct verify_piece piece)
{
    const struct verify_image *image = &judged->old_image;
    struct verify_directory table = image->directory_count > DIR_BASERELOC ? image->directories[DIR_BASERELOC]
                                                                           : (struct verify_directory){0, 0};
    if (table.nbytes == 0 || table.rva < piece.rva || table.rva >= piece.end_rva)
        return append(judged, map, piece);
    struct verify_piece before = piece, behind = piece;
    uint64_t end_rva = (uint64_t)table.rva + table.nbytes;
    before.end_rva = table.rva;
    if (before.rva < before.end_rva && !append(judged, map, before))
        return false;
    if (end_rva >= piece.end_rva || is_zero(judged, end_rva, piece.end_rva))
        return true;
    behind.rva = (uint32_t)end_rva;
    return append(judged, map, behind);
}

/* Candidates of the section before come first, so that equals stay together. */
static bool place_section(struct verify_case *judged, struct candidates *list,
                          const struct verify_section *section, struct verify_map *map)
{
    size_t best_count = SIZE_MAX;
    int64_t best = 0;
    if (directory_delta(judged, section, &best) && mismatches(judged, section, best) != SIZE_MAX) {
        best_count = 0;
    } else if (map->count != 0) {
        best = map->pieces[map->count - 1].delta;
        best_count = mismatches(judged, section, best);
    }
    for (size_t i = 0; i < list->count && best_count != 0; i++) {
        size_t count = mismatches(judged, section, list->deltas[i]);
        if (count < best_count) {
            best_count = count;
            best = list->deltas[i];
        }
    }
    if (best_count != 0) { /* a section that was shifted inside its pages */
        static const size_t max_count = CANDIDATE_MAX_COUNT;
        int64_t *shifted = arena_array(judged->arena, max_count, sizeof *shifted);
        if (!shifted)
            return false;
        size_t shifted_count = verify_shift_candidates(judged, section, shifted, max_count);
        for (size_t i = 0; i < shifted_count && best_count != 0; i++) {
            size_t count = mismatches(judged, section, shifted[i]);
            if (count < best_count) {
                best_count = count;
                best = shifted[i];
            }
        }
    }
    if (best_count == SIZE_MAX)
        return not_found(judged, section->rva, section->name);
    bool is_code = (section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) != 0;
    return append_around_relocations(judged, map,
                                     (struct verify_piece){section->rva,
                                                           section->rva + content_nbytes(section), best,
                                                           section, false, is_code});
}

/* Cuts [rva, end_rva) with its own distance out of the piece that holds it; joins it with a neighbour of the
 * same distance. */
static bool cut_out(struct verify_case *judged, struct verify_map *map, uint64_t rva, uint64_t end_rva,
                    int64_t delta)
{
    for (size_t i = 0; i < map->count; i++) {
        struct verify_piece whole = map->pieces[i];
        if (rva < whole.rva || rva >= whole.end_rva || whole.delta == delta)
            continue;
        if (end_rva > whole.end_rva)
            return not_found(judged, whole.rva, whole.section->name);
        struct verify_piece slots = {(uint32_t)rva, (uint32_t)end_rva, delta, whole.section, true, false};
        struct verify_piece behind = whole;
        behind.rva = (uint32_t)end_rva;
        map->pieces[i].end_rva = (uint32_t)rva;
        if (!append(judged, map, slots))
            return false;
        return behind.rva == behind.end_rva || append(judged, map, behind);
    }
    return true;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct verify_piece *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

static void sort_pieces(struct verify_map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++)
        if (map->pieces[i].rva < map->pieces[i].end_rva)
            map->pieces[kept++] = map->pieces[i];
    map->count = kept;
    qsort(map->pieces, map->count, sizeof *map->pieces, compare_pieces);
    kept = 0;
    for (size_t i = 1; i < map->count; i++) {
        struct verify_piece *last = &map->pieces[kept], *next = &map->pieces[i];
        if (last->is_slots && next->is_slots && last->delta == next->delta && last->end_rva == next->rva)
            last->end_rva = next->end_rva;
        else
            map->pieces[++kept] = *next;
    }
    map->count = map->count ? kept + 1 : 0;
}

/* A byte near slots went with them when its old place in the new image is padding and the new place has it.
 */
static bool went_along(const struct verify_case *judged, const struct verify_piece *home, int64_t delta,
                       uint64_t rva)
{
    uint8_t old_byte, left_byte, moved_byte;
    if (!verify_memory_byte(&judged->old_image, rva, &old_byte) ||
        !verify_memory_byte(&judged->new_image, (uint64_t)((int64_t)rva + home->delta), &left_byte) ||
        !verify_memory_byte(&judged->new_image, (uint64_t)((int64_t)rva + delta), &moved_byte))
        return false;
    return moved_byte == old_byte && old_byte != left_byte && (left_byte == 0 || left_byte == 0xCC);
}

static void extend_slots(const struct verify_case *judged, struct verify_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        struct verify_piece *slots = &map->pieces[i];
        if (!slots->is_slots)
            continue;
        struct verify_piece *before = i > 0 && slots[-1].end_rva == slots->rva ? &slots[-1] : NULL;
        struct verify_piece *behind = i + 1 < map->count && slots[1].rva == slots->end_rva ? &slots[1] : NULL;
        uint32_t low = slots->rva, high = slots->end_rva;
        for (uint32_t k = 1;
             before && !before->is_slots && k <= EXTENSION_NBYTES && slots->rva - k > before->rva; k++)
            if (went_along(judged, before, slots->delta, slots->rva - k))
                low = slots->rva - k;
        for (uint32_t k = 0;
             behind && !behind->is_slots && k < EXTENSION_NBYTES && slots->end_rva + k + 1 < behind->end_rva;
             k++)
            if (went_along(judged, behind, slots->delta, slots->end_rva + k))
                high = slots->end_rva + k + 1;
        if (before)
            before->end_rva = low < before->end_rva ? low : before->end_rva;
        if (behind)
            behind->rva = high > behind->rva ? high : behind->rva;
        slots->rva = low;
        slots->end_rva = high;
    }
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
    for (size_t i = 0; i < map->count; i++)
        if (rva >= map->pieces[i].rva && rva < map->pieces[i].end_rva)
            return map->pieces[i].delta == delta;
    return false;
}

/* Both lists come from the same walk over the same tables, so their entries pair off. */
static bool place_slots(struct verify_case *judged, const struct verify_range_list *old_list,
                        const struct verify_range_list *new_list, struct verify_map *map)
{
    size_t i = skip_iat(old_list, 0), k = skip_iat(new_list, 0);
    for (; i < old_list->count && k < new_list->count;
         i = skip_iat(old_list, i + 1), k = skip_iat(new_list, k + 1)) {
        const struct verify_range *a = &old_list->items[i], *b = &new_list->items[k];
        int64_t delta = (int64_t)b->rva - (int64_t)a->rva;
        bool fits = delta % PAGE_NBYTES == 0 || went_with_section(map, a->rva, delta);
        if (strcmp(a->what, b->what) != 0 || a->end_rva - a->rva != b->end_rva - b->rva || !fits)
            return verify_refute(judged, (struct verify_spot){true, UINT64_MAX, (uint32_t)a->rva},
                                 "%s at RVA 0x%llX of the old image is not the same in the new one, at RVA "
                                 "0x%llX.",
                                 a->what, (unsigned long long)a->rva, (unsigned long long)b->rva);
        if (!cut_out(judged, map, a->rva, a->end_rva, delta))
            return false;
    }
    if (i < old_list->count || k < new_list->count)
        return verify_refute(judged, (struct verify_spot){true, UINT64_MAX, UINT32_MAX},
                             "The two images do not have the same loader-written tables.");
    return true;
}

bool verify_map_find(struct verify_case *judged, const struct verify_tables *old_tables,
                     const struct verify_tables *new_tables, struct verify_map *map)
{
    struct candidates *list = arena_alloc(judged->arena, sizeof *list);
    *map = (struct verify_map){0};
    if (!list)
        return false;
    collect_candidates(judged, list);
    for (uint32_t i = 0; i < judged->old_image.section_count; i++)
        if (!place_section(judged, list, judged->old_image.by_rva[i], map))
            return false;
    if (!place_slots(judged, &old_tables->written, &new_tables->written, map))
        return false;
    sort_pieces(map);
    extend_slots(judged, map);
    for (size_t i = 0; i < map->count; i++) {
        map->moves_apart = map->moves_apart || map->pieces[i].delta != map->pieces[0].delta;
        if (!map->pieces[i].is_slots && map->pieces[i].delta != 0)
            map->moves_headers_distance = true;
    }
    return true;
}

static size_t pieces_up_to(const struct verify_map *map, uint64_t rva)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->pieces[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct verify_piece *verify_piece_at(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count > 0 && rva < map->pieces[count - 1].end_rva ? &map->pieces[count - 1] : NULL;
}

const struct verify_piece *verify_piece_before(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count > 0 ? &map->pieces[count - 1] : NULL;
}

const struct verify_piece *verify_piece_behind(const struct verify_map *map, uint64_t rva)
{
    size_t count = pieces_up_to(map, rva);
    return count < map->count ? &map->pieces[count] : NULL;
}
