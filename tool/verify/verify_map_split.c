/* verify_map_split.c - where the data went that left an executable section.
 * Takes: the runs that are gone from the executable pieces.  Gives: pieces for those whose bytes lie
 * elsewhere. Must not: take code for gone: bytes without another place stay where they were. */
#include "verify/verify_map_runs.h"

enum { RUN_SAMPLE_COUNT = 512 };

/* In some section that is not executable. The pages of one run may have different rights, and so sections. */
static bool is_outside_code(const struct verify_image *image, uint32_t rva)
{
    const struct verify_section *section = verify_section_at(image, rva);
    return section && !(section->characteristics & SCN_MEM_EXECUTE);
}

/* Samples of the run that do not lie at the distance; more than there are when the place is executable. */
static uint64_t run_cost(const struct map_search *search, const struct map_run *run, int64_t delta,
                         uint64_t *sample_count)
{
    const struct verify_image *old_image = &search->judged->old_image,
                              *new_image = &search->judged->new_image;
    uint64_t step = (run->end_rva - run->rva) / RUN_SAMPLE_COUNT + 1, mismatch_count = 0;
    int64_t first = (int64_t)run->rva + delta, last = (int64_t)run->end_rva - 1 + delta;
    *sample_count = (run->end_rva - run->rva + step - 1) / step;
    if (first < 0 || last > UINT32_MAX || !is_outside_code(new_image, (uint32_t)first) ||
        !is_outside_code(new_image, (uint32_t)last))
        return *sample_count + 1;
    for (uint64_t rva = run->rva; rva < run->end_rva; rva += step) {
        uint64_t new_rva = (uint64_t)((int64_t)rva + delta);
        uint8_t old_byte = 0, byte = 0;
        verify_memory_byte(old_image, rva, &old_byte);
        verify_memory_byte(new_image, new_rva, &byte);
        search->judged->verdict->step_count++;
        bool is_site = map_has_site(old_image, search->old_sites, rva) &&
                       map_has_site(new_image, search->new_sites, new_rva);
        mismatch_count += !is_site && byte != old_byte;
    }
    return mismatch_count;
}

/* What leaves goes to fresh pages: nothing that moved otherwise lies in those from the first run to the last.
 */
static bool is_fresh(const struct map_search *search, const struct verify_map *map,
                     const struct map_runs *list, int64_t delta)
{
    int64_t first_page = ((int64_t)list->items[0].rva + delta) / PAGE_NBYTES;
    int64_t last_page = ((int64_t)list->items[list->count - 1].end_rva - 1 + delta) / PAGE_NBYTES;
    for (size_t i = 0; i < map->count; i++) {
        const struct verify_piece *piece = &map->pieces[i];
        search->judged->verdict->step_count++;
        if (piece->delta != delta && piece->rva < piece->end_rva &&
            ((int64_t)piece->rva + piece->delta) / PAGE_NBYTES <= last_page &&
            ((int64_t)piece->end_rva - 1 + piece->delta) / PAGE_NBYTES >= first_page)
            return false;
    }
    return true;
}

/* The pages hold the base relocations of the new image: rarely anything else. */
static bool is_beside_relocations(const struct map_search *search, const struct map_runs *list, int64_t delta)
{
    const struct verify_image *image = &search->judged->new_image;
    int64_t first_page = ((int64_t)list->items[0].rva + delta) / PAGE_NBYTES;
    int64_t last_page = ((int64_t)list->items[list->count - 1].end_rva - 1 + delta) / PAGE_NBYTES;
    if (image->directory_count <= DIR_BASERELOC || image->directories[DIR_BASERELOC].nbytes == 0)
        return false;
    struct verify_directory table = image->directories[DIR_BASERELOC];
    return table.rva / PAGE_NBYTES <= last_page &&
           ((int64_t)table.rva + table.nbytes - 1) / PAGE_NBYTES >= first_page;
}

/* One distance for all runs of a section. Where two fit as well, the references to it decide, or neither is
 * certain. */
static bool best_delta(const struct map_search *search, const struct verify_map *map,
                       const struct map_runs *list, int64_t home, int64_t *delta, bool *is_doubtful)
{
    const struct candidates *candidates = &search->candidates;
    uint32_t counts[CANDIDATE_MAX_COUNT] = {0}, best_count = 0;
    uint64_t best_cost = UINT64_MAX;
    map_count_references(search, map, list->items[0].rva, list->items[list->count - 1].end_rva, counts);
    for (size_t i = 0; i < candidates->count; i++) {
        uint64_t total_cost = is_beside_relocations(search, list, candidates->deltas[i]), sample_count;
        if (candidates->deltas[i] == home || !is_fresh(search, map, list, candidates->deltas[i]))
            continue;
        for (size_t k = 0; k < list->count && total_cost <= best_cost; k++)
            total_cost += run_cost(search, &list->items[k], candidates->deltas[i], &sample_count);
        if (total_cost > best_cost || (total_cost == best_cost && counts[i] < best_count))
            continue;
        *is_doubtful = total_cost == best_cost && counts[i] == best_count;
        best_cost = total_cost;
        best_count = counts[i];
        *delta = candidates->deltas[i];
    }
    return best_cost != UINT64_MAX;
}

static const struct verify_piece *slots_beside(const struct verify_map *map, const struct map_run *run)
{
    const struct verify_piece *before = run->rva > 0 ? verify_piece_at(map, run->rva - 1) : NULL;
    const struct verify_piece *behind = verify_piece_at(map, run->end_rva);
    return before && before->is_slots ? before : behind && behind->is_slots ? behind : NULL;
}

static uint32_t count_for(const struct map_search *search, const uint32_t *counts, int64_t delta)
{
    for (size_t i = 0; i < search->candidates.count; i++)
        if (search->candidates.deltas[i] == delta)
            return counts[i];
    return 0;
}

/* Zeros behind the raw data, in both images, are alike wherever they lie: those behind the last run went with
 * it unless the references to them say that they stayed. Where none says anything, it is a guess. */
static void take_tail(const struct map_search *search, const struct verify_map *map, struct map_run *run)
{
    const struct verify_image *new_image = &search->judged->new_image;
    const struct verify_section *section = run->piece->section;
    uint32_t counts[CANDIDATE_MAX_COUNT] = {0};
    uint64_t end_rva = run->piece->end_rva;
    uint8_t byte;
    if (run->end_rva < (uint64_t)section->rva + section->bytes.nbytes || run->end_rva >= end_rva)
        return;
    for (uint64_t rva = run->end_rva; rva < end_rva; rva++) {
        uint64_t new_rva = (uint64_t)((int64_t)rva + run->delta);
        search->judged->verdict->step_count++;
        if (!verify_memory_byte(new_image, new_rva, &byte) || byte != 0 ||
            !is_outside_code(new_image, (uint32_t)new_rva))
            return;
    }
    map_count_references(search, map, run->end_rva, end_rva, counts);
    uint32_t gone_count = count_for(search, counts, run->delta);
    uint32_t home_count = count_for(search, counts, run->piece->delta);
    if (home_count > gone_count)
        return;
    if (home_count == gone_count)
        search->is_doubtful[section->index] = true;
    run->end_rva = end_rva;
}

static void place_runs(const struct map_search *search, const struct verify_map *map, struct map_runs *list)
{
    int64_t delta = 0;
    bool is_doubtful = false;
    bool has_delta =
        list->count != 0 && best_delta(search, map, list, list->items[0].piece->delta, &delta, &is_doubtful);
    for (size_t i = 0; i < list->count; i++) {
        struct map_run *run = &list->items[i];
        uint64_t sample_count = 0;
        uint64_t cost = has_delta ? run_cost(search, run, delta, &sample_count) : UINT64_MAX;
        run->slots = slots_beside(map, run);
        run->delta = delta;
        uint64_t slots_cost =
            run->slots ? run_cost(search, run, run->slots->delta, &sample_count) : UINT64_MAX;
        if (slots_cost < cost) {
            run->delta = run->slots->delta;
            cost = slots_cost;
        }
        run->is_found = cost <= sample_count / 2;
        bool is_missing = !run->is_found && map_run_is_lost(search, run);
        if (is_missing || (run->is_found && run->delta == delta && is_doubtful))
            search->is_doubtful[run->piece->section->index] = true;
        if (run->is_found)
            map_run_widen(search, run);
        if (run->is_found && !run->slots)
            take_tail(search, map, run);
    }
}

/* What lies inside the old directory 12 are slots like those that the descriptors name. */
static bool is_in_iat(const struct map_search *search, const struct map_run *run)
{
    const struct verify_image *image = &search->judged->old_image;
    struct verify_directory iat =
        image->directory_count > DIR_IAT ? image->directories[DIR_IAT] : (struct verify_directory){0, 0};
    return run->rva >= iat.rva && run->end_rva <= (uint64_t)iat.rva + iat.nbytes;
}

static bool append_part(struct map_search *search, struct verify_piece part, uint64_t rva, uint64_t end_rva)
{
    part.rva = (uint32_t)rva;
    part.end_rva = (uint32_t)end_rva;
    return map_append(search, part);
}

/* The old piece, that ends where its first run begins; then the runs, and what stays behind each. */
static bool cut(struct map_search *search, size_t index, const struct map_run *runs, size_t count)
{
    struct verify_piece piece = search->map->pieces[index];
    const struct map_run *last = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct map_run *run = &runs[i];
        if (!run->is_found)
            continue;
        if (last && !append_part(search, piece, last->end_rva, run->rva))
            return false;
        if (!last)
            search->map->pieces[index].end_rva = (uint32_t)run->rva;
        struct verify_piece leaves = piece;
        leaves.delta = run->delta;
        leaves.is_code = false;
        leaves.is_slots = run->slots && run->delta == run->slots->delta && is_in_iat(search, run);
        leaves.is_data_run = !leaves.is_slots;
        if (!append_part(search, leaves, run->rva, run->end_rva))
            return false;
        last = run;
    }
    return !last || append_part(search, piece, last->end_rva, piece.end_rva);
}

static bool split_section(struct map_search *search, const struct verify_map *map,
                          const struct verify_section *section)
{
    struct map_runs list = {0};
    for (size_t i = 0; i < map->count; i++)
        if (map->pieces[i].section == section && map->pieces[i].is_code &&
            !map_runs_find(search, &map->pieces[i], &list))
            return false;
    place_runs(search, map, &list);
    for (size_t first = 0, end; first < list.count; first = end) {
        for (end = first; end < list.count && list.items[end].piece == list.items[first].piece; end++)
            ;
        if (!cut(search, (size_t)(list.items[first].piece - map->pieces), &list.items[first], end - first))
            return false;
    }
    return true;
}

bool map_split_code(struct map_search *search)
{
    const struct verify_image *image = &search->judged->old_image;
    /* The pieces as they are now, in order: the map itself is cut on the way. */
    struct verify_map before = *search->map;
    before.pieces = arena_array(search->judged->arena, before.count, sizeof *before.pieces);
    if (!before.pieces)
        return false;
    if (before.count != 0)
        memcpy(before.pieces, search->map->pieces, before.count * sizeof *before.pieces);
    for (uint32_t i = 0; i < image->section_count; i++)
        if ((image->sections[i].characteristics & SCN_MEM_EXECUTE) &&
            !split_section(search, &before, &image->sections[i]))
            return false;
    map_sort(search->map);
    return true;
}
