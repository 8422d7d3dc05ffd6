/* verify_map_place.c - guesses where each old section went.
 * Takes: the search.  Gives: one or two pieces for each section.  Must not: decide by order where bytes or
 * references decide. */
#include "verify/verify_map_internal.h"
#include "verify/verify_repairs.h"

enum { SECTION_SHIFT_COUNT = 2, CLEAR_MATCH_COUNT = 4, KEPT_COST = 32 };

static void add_candidate(struct candidates *list, int64_t delta)
{
    if (delta % PAGE_NBYTES != 0 || list->count == CANDIDATE_MAX_COUNT)
        return;
    for (size_t i = 0; i < list->count; i++)
        if (list->deltas[i] == delta)
            return;
    list->deltas[list->count++] = delta;
}

/* Directories that exist in both, the entry point, and each place where a new section can begin. */
static void collect_candidates(struct map_search *search)
{
    const struct verify_image *a = &search->judged->old_image, *b = &search->judged->new_image;
    struct candidates *list = &search->candidates;
    add_candidate(list, (int64_t)b->entry_rva - a->entry_rva);
    for (uint32_t i = 0; i < a->directory_count && i < b->directory_count; i++)
        if (i != DIR_SECURITY && i != DIR_BASERELOC && a->directories[i].rva && b->directories[i].rva)
            add_candidate(list, (int64_t)b->directories[i].rva - a->directories[i].rva);
    for (uint32_t i = 0; i < a->section_count; i++)
        for (uint32_t k = 0; k < b->section_count; k++)
            if (strcmp(a->sections[i].name, b->sections[k].name) == 0)
                add_candidate(list, (int64_t)b->sections[k].rva - (int64_t)a->sections[i].rva);
    for (int64_t shift = 0; shift <= SECTION_SHIFT_COUNT; shift++)
        for (uint32_t i = 0; i < a->section_count; i++)
            for (uint32_t k = 0; k < b->section_count; k++)
                add_candidate(list, (int64_t)b->sections[k].rva + shift * PAGE_NBYTES -
                                        (int64_t)(a->sections[i].rva / PAGE_NBYTES * PAGE_NBYTES));
}

/* The entry point says where its section went, unless it leads elsewhere now. */
static bool entry_delta(const struct map_search *search, const struct verify_section *section,
                        uint64_t end_rva, int64_t *delta)
{
    const struct verify_image *a = &search->judged->old_image, *b = &search->judged->new_image;
    *delta = (int64_t)b->entry_rva - a->entry_rva;
    if (a->entry_rva < section->rva || a->entry_rva >= end_rva || *delta % PAGE_NBYTES != 0)
        return false;
    struct evidence found = map_evidence(search, section, section->rva, end_rva, *delta, UINT64_MAX);
    return found.fits && found.match_count > found.mismatch_count;
}

/* A directory that begins in the section says where it went: of another section than an executable one, whose
 * tables may have left it. */
static bool directory_delta(const struct map_search *search, const struct verify_section *section,
                            int64_t *delta)
{
    const struct verify_image *a = &search->judged->old_image, *b = &search->judged->new_image;
    for (uint32_t i = 0; i < a->directory_count && i < b->directory_count; i++) {
        uint32_t rva = a->directories[i].rva;
        *delta = (int64_t)b->directories[i].rva - rva;
        if (i != DIR_SECURITY && i != DIR_BASERELOC && i != DIR_IAT && rva >= section->rva &&
            rva - section->rva < section->memory_nbytes && b->directories[i].rva != 0 &&
            *delta % PAGE_NBYTES == 0)
            return !(section->characteristics & SCN_MEM_EXECUTE);
    }
    return false;
}

/* Page-aligned images keep their sections: one of the same name and size, at the same RVA if there is one,
 * unless another distance explains the bytes far better. */
static bool is_kept(const struct map_search *search, const struct verify_section *section, uint64_t end_rva,
                    uint64_t best_cost, int64_t *delta)
{
    const struct verify_image *a = &search->judged->old_image, *b = &search->judged->new_image;
    size_t count = 0;
    if (a->section_alignment < PAGE_NBYTES)
        return false;
    for (uint32_t i = 0; i < b->section_count; i++) {
        const struct verify_section *now = &b->sections[i];
        bool is_same_place = now->rva == section->rva && i == section->index;
        if (strcmp(now->name, section->name) != 0 ||
            (!is_same_place && now->virtual_nbytes != section->virtual_nbytes))
            continue;
        struct evidence found = map_evidence(search, section, section->rva, end_rva,
                                             (int64_t)now->rva - section->rva, UINT64_MAX);
        if (!found.fits || map_cost(&found) > best_cost * 4 + KEPT_COST)
            continue;
        *delta = (int64_t)now->rva - section->rva;
        if (is_same_place)
            return true;
        count++;
    }
    return count == 1;
}

static bool is_zero(const struct map_search *search, uint64_t rva, uint64_t end_rva)
{
    uint8_t byte;
    for (; rva < end_rva; rva++)
        if (verify_memory_byte(&search->judged->old_image, rva, &byte) && byte != 0)
            return false;
    return true;
}

/* The base relocations have no new place: they are written anew. Zeros behind them are their padding. */
static bool append_around_relocations(struct map_search *search, struct verify_piece piece)
{
    const struct verify_image *image = &search->judged->old_image;
    struct verify_directory table = image->directory_count > DIR_BASERELOC ? image->directories[DIR_BASERELOC]
                                                                           : (struct verify_directory){0, 0};
    if (table.nbytes == 0 || table.rva < piece.rva || table.rva >= piece.end_rva)
        return map_append(search, piece);
    struct verify_piece before = piece, behind = piece;
    uint64_t end_rva = (uint64_t)table.rva + table.nbytes;
    before.end_rva = table.rva;
    if (before.rva < before.end_rva && !map_append(search, before))
        return false;
    if (end_rva >= piece.end_rva || is_zero(search, end_rva, piece.end_rva))
        return true;
    behind.rva = (uint32_t)end_rva;
    return map_append(search, behind);
}

/* The likeliest distance so far, and how near the next one comes. */
struct choice {
    int64_t delta;
    uint64_t cost, second_cost;
    struct evidence found;
};

static void consider(const struct map_search *search, const struct verify_section *section, uint64_t end_rva,
                     int64_t delta, struct choice *choice)
{
    if (choice->cost != UINT64_MAX && delta == choice->delta)
        return;
    uint64_t limit_cost = choice->cost == UINT64_MAX ? UINT64_MAX : choice->cost * 2 + CLEAR_MATCH_COUNT;
    struct evidence found = map_evidence(search, section, section->rva, end_rva, delta, limit_cost);
    uint64_t cost = map_cost(&found);
    if (cost < choice->cost) {
        choice->second_cost = choice->cost;
        choice->cost = cost;
        choice->delta = delta;
        choice->found = found;
    } else if (cost < choice->second_cost) {
        choice->second_cost = cost;
    }
}

/* A section that was shifted inside its pages. */
static bool consider_shifts(const struct map_search *search, const struct verify_section *section,
                            uint64_t end_rva, struct choice *choice)
{
    size_t max_count = CANDIDATE_MAX_COUNT;
    int64_t *deltas = arena_array(search->judged->arena, max_count, sizeof *deltas);
    if (!deltas)
        return false;
    size_t count = verify_shift_candidates(search->judged, section, deltas, max_count);
    for (size_t i = 0; i < count; i++)
        consider(search, section, end_rva, deltas[i], choice);
    return true;
}

/* Every candidate is looked at, so that it is known how near the second best comes. The distance of the
 * section before comes first, so that equals stay together. */
static bool place_section(struct map_search *search, const struct verify_section *section)
{
    const struct verify_map *map = search->map;
    uint64_t end_rva = (uint64_t)section->rva + map_content_nbytes(section);
    struct choice choice = {.cost = UINT64_MAX, .second_cost = UINT64_MAX};
    int64_t first = map->count != 0 ? map->pieces[map->count - 1].delta : search->candidates.deltas[0];
    consider(search, section, end_rva, first, &choice);
    for (size_t i = 0; i < search->candidates.count; i++)
        if (search->candidates.deltas[i] != first)
            consider(search, section, end_rva, search->candidates.deltas[i], &choice);
    if (choice.cost != 0 && !consider_shifts(search, section, end_rva, &choice))
        return false;
    if (choice.cost == UINT64_MAX)
        return map_not_found(search, section->rva, section->name);
    int64_t named = 0;
    bool is_named = directory_delta(search, section, &named) &&
                    map_evidence(search, section, section->rva, end_rva, named, 0).fits;
    is_named = is_named || entry_delta(search, section, end_rva, &named);
    is_named = is_named || is_kept(search, section, end_rva, choice.cost, &named);
    bool is_clear = choice.found.match_count >= CLEAR_MATCH_COUNT &&
                    choice.found.match_count >= choice.found.mismatch_count &&
                    choice.second_cost >= choice.cost * 2 + CLEAR_MATCH_COUNT;
    search->is_doubtful[section->index] = !is_named && !is_clear;
    bool is_code = (section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) != 0;
    return append_around_relocations(search, (struct verify_piece){.rva = section->rva,
                                                                   .end_rva = (uint32_t)end_rva,
                                                                   .delta = is_named ? named : choice.delta,
                                                                   .section = section,
                                                                   .is_code = is_code});
}

bool map_place_sections(struct map_search *search)
{
    const struct verify_image *image = &search->judged->old_image;
    collect_candidates(search);
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!place_section(search, image->by_rva[i]))
            return false;
    map_sort(search->map);
    return true;
}
