/* verify_map_votes.c - lets references say where a section went whose own bytes do not say it: zeros, or
 * arrays that look alike a page further on.
 * Takes: the search with a first guess.  Gives: better guesses.  Must not: overrule bytes that are clear. */
#include "verify/verify_map_internal.h"
#include "verify/verify_relocations.h"

enum { DISP32_NBYTES = 4, CLEAR_FACTOR = 2 };

struct votes {
    struct map_search *search;
    uint32_t (*counts)[CANDIDATE_MAX_COUNT]; /* by section index */
};

/* The section that rva lies in when its place is in doubt. */
static const struct verify_section *doubtful_at(const struct map_search *search, uint64_t rva)
{
    const struct verify_section *section =
        rva > UINT32_MAX ? NULL : verify_section_at(&search->judged->old_image, (uint32_t)rva);
    return section && search->is_doubtful[section->index] ? section : NULL;
}

static void vote(struct votes *votes, const struct verify_section *section, int64_t delta)
{
    const struct candidates *list = &votes->search->candidates;
    for (size_t i = 0; i < list->count; i++)
        if (list->deltas[i] == delta)
            votes->counts[section->index][i]++;
}

static void ask_relocations(struct votes *votes)
{
    const struct verify_image *a = &votes->search->judged->old_image, *b = &votes->search->judged->new_image;
    struct verify_relocation_reader reader = verify_relocations_begin(a);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        const struct verify_piece *site = verify_piece_at(votes->search->map, relocation.rva);
        uint64_t old_va, new_va;
        votes->search->judged->verdict->step_count++;
        if (nbytes == 0 || !site || votes->search->is_doubtful[site->section->index] ||
            !verify_read_at(a, relocation.rva, nbytes, &old_va) ||
            !verify_read_at(b, (uint64_t)((int64_t)relocation.rva + site->delta), nbytes, &new_va))
            continue;
        const struct verify_section *section = doubtful_at(votes->search, old_va - a->base_va);
        if (section)
            vote(votes, section, (int64_t)(new_va - old_va));
    }
}

/* RIP-relative operands, at every byte position of code; what only looks like one is outvoted. */
static void ask_code(struct votes *votes, const struct verify_piece *piece)
{
    const struct verify_image *image = &votes->search->judged->new_image;
    const struct verify_section *section = piece->section;
    struct span bytes = section->bytes;
    for (size_t at = piece->rva - section->rva + 1;
         range_fits(bytes.nbytes, at, DISP32_NBYTES) && section->rva + at < piece->end_rva; at++) {
        uint32_t rva = section->rva + (uint32_t)at;
        uint64_t value;
        votes->search->judged->verdict->step_count++;
        if ((bytes.bytes[at - 1] & 0xC7) != 0x05)
            continue;
        int32_t distance = (int32_t)load_u32(bytes.bytes + at);
        int64_t target_rva = (int64_t)rva + DISP32_NBYTES + distance;
        const struct verify_section *target =
            target_rva < 0 ? NULL : doubtful_at(votes->search, (uint64_t)target_rva);
        if (!target || !verify_read_at(image, (uint64_t)((int64_t)rva + piece->delta), 4, &value))
            continue;
        vote(votes, target, (int64_t)(int32_t)(uint32_t)value - distance + piece->delta);
    }
}

static void take_winner(struct votes *votes, const struct verify_section *section)
{
    struct map_search *search = votes->search;
    const uint32_t *counts = votes->counts[section->index];
    uint64_t end_rva = (uint64_t)section->rva + map_content_nbytes(section);
    size_t best = 0;
    uint32_t rest_count = 0;
    for (size_t i = 1; i < search->candidates.count; i++)
        if (counts[i] > counts[best])
            best = i;
    for (size_t i = 0; i < search->candidates.count; i++)
        rest_count += i == best ? 0 : counts[i];
    int64_t delta = search->candidates.deltas[best];
    if (counts[best] == 0 || counts[best] <= CLEAR_FACTOR * rest_count ||
        !map_evidence(search, section, section->rva, end_rva, delta, 0).fits)
        return;
    search->is_doubtful[section->index] = false;
    for (size_t i = 0; i < search->map->count; i++)
        if (search->map->pieces[i].section == section)
            search->map->pieces[i].delta = delta;
}

bool map_ask_references(struct map_search *search)
{
    struct verify_case *judged = search->judged;
    uint32_t count = judged->old_image.section_count;
    bool is_any = false;
    for (uint32_t i = 0; i < count; i++)
        is_any = is_any || search->is_doubtful[i];
    if (!is_any || search->candidates.count == 0)
        return true;
    struct votes votes = {search, arena_array(judged->arena, count, sizeof *votes.counts)};
    if (!votes.counts)
        return false;
    ask_relocations(&votes);
    for (size_t i = 0; judged->old_image.is_64 && i < search->map->count; i++)
        if (search->map->pieces[i].is_code && !search->is_doubtful[search->map->pieces[i].section->index])
            ask_code(&votes, &search->map->pieces[i]);
    for (uint32_t i = 0; i < count; i++)
        if (search->is_doubtful[i])
            take_winner(&votes, &judged->old_image.sections[i]);
    return true;
}

static void count_change(const struct candidates *list, int64_t change, uint32_t counts[CANDIDATE_MAX_COUNT])
{
    for (size_t i = 0; i < list->count; i++)
        counts[i] += list->deltas[i] == change;
}

void map_count_references(const struct map_search *search, const struct verify_map *map, uint64_t rva,
                          uint64_t end_rva, uint32_t counts[CANDIDATE_MAX_COUNT])
{
    const struct verify_image *a = &search->judged->old_image, *b = &search->judged->new_image;
    struct verify_relocation_reader reader = verify_relocations_begin(a);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        const struct verify_piece *site = verify_piece_at(map, relocation.rva);
        uint64_t old_va, new_va;
        search->judged->verdict->step_count++;
        if (nbytes != 0 && site && verify_read_at(a, relocation.rva, nbytes, &old_va) &&
            old_va >= a->base_va + rva && old_va < a->base_va + end_rva &&
            verify_read_at(b, (uint64_t)((int64_t)relocation.rva + site->delta), nbytes, &new_va))
            count_change(&search->candidates, (int64_t)(new_va - old_va), counts);
    }
    for (size_t i = 0; a->is_64 && i < map->count; i++) {
        const struct verify_piece *piece = &map->pieces[i];
        struct span bytes = piece->section->bytes;
        for (size_t at = piece->rva - piece->section->rva + 1;
             piece->is_code && range_fits(bytes.nbytes, at, DISP32_NBYTES) &&
             piece->section->rva + at < piece->end_rva;
             at++) {
            int64_t field_rva = (int64_t)piece->section->rva + (int64_t)at;
            int32_t distance = (int32_t)load_u32(bytes.bytes + at);
            int64_t target_rva = field_rva + DISP32_NBYTES + distance;
            uint64_t value;
            search->judged->verdict->step_count++;
            if ((bytes.bytes[at - 1] & 0xC7) == 0x05 && target_rva >= (int64_t)rva &&
                target_rva < (int64_t)end_rva &&
                verify_read_at(b, (uint64_t)(field_rva + piece->delta), DISP32_NBYTES, &value))
                count_change(&search->candidates, (int64_t)(int32_t)(uint32_t)value - distance + piece->delta,
                             counts);
        }
    }
}
