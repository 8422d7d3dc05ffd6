/* verify_edges.c - decides what addresses near a change of distance mean.
 * Takes: the map, the old image's code and typed tables.  Gives: verify_meaning().
 * Must not: take a side for free of arrays because its bytes look like padding. */
#include "verify/verify_edges.h"
#include "verify/verify_code_target.h"

#include <stdlib.h>

enum { SIDE_BEGIN = 1, SIDE_END = 2, SMALL_GAP_NBYTES = 16, DECODE_START_COUNT = 16 };

static int compare_ranges(const void *left, const void *right)
{
    const struct verify_range *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->end_rva < b->end_rva ? -1 : a->end_rva > b->end_rva;
}

static void merge(struct verify_range_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof *list->items, compare_ranges);
    size_t kept = 0;
    for (size_t i = 1; i < list->count; i++) {
        if (list->items[i].rva > list->items[kept].end_rva)
            list->items[++kept] = list->items[i];
        else if (list->items[i].end_rva > list->items[kept].end_rva)
            list->items[kept].end_rva = list->items[i].end_rva;
    }
    list->count = kept + 1;
}

/* End of the merged range that holds rva, or rva itself. */
static uint64_t inert_end(const struct verify_range_list *list, uint64_t rva)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && list->items[low - 1].end_rva > rva ? list->items[low - 1].end_rva : rva;
}

static bool is_filled(const struct verify_moves *moves, uint64_t rva, uint64_t end_rva, uint8_t value)
{
    uint8_t byte;
    for (; rva < end_rva; rva++)
        if (!verify_memory_byte(&moves->judged->old_image, rva, &byte) || byte != value)
            return false;
    return true;
}

/* Typed ranges with at most small gaps of zeros between them. */
static bool is_typed_through(const struct verify_moves *moves, uint64_t rva, uint64_t end_rva)
{
    while (rva < end_rva) {
        uint64_t next_rva = inert_end(&moves->inert, rva), gap_end_rva = rva;
        if (next_rva > rva) {
            rva = next_rva;
            continue;
        }
        while (gap_end_rva < end_rva && gap_end_rva - rva <= SMALL_GAP_NBYTES &&
               inert_end(&moves->inert, gap_end_rva) == gap_end_rva)
            gap_end_rva++;
        if (gap_end_rva - rva >= SMALL_GAP_NBYTES || !is_filled(moves, rva, gap_end_rva, 0))
            return false;
        rva = gap_end_rva;
    }
    return true;
}

/* One instruction after the other from `rva`, int3 between them, typed ranges skipped, zeros only at the end.
 */
static bool decodes_through(struct verify_moves *moves, uint64_t rva, uint64_t end_rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    struct verify_instruction instruction;
    while (section && rva < end_rva) {
        uint64_t next_rva = inert_end(&moves->inert, rva);
        size_t at = rva - section->rva;
        if (next_rva > rva) {
            rva = next_rva;
            continue;
        }
        if (at >= section->bytes.nbytes || is_filled(moves, rva, end_rva, 0))
            return true;
        if (section->bytes.bytes[at] == 0xCC) {
            rva++;
            continue;
        }
        if (!verify_code_decode(&moves->code, section, at, &instruction) || instruction.is_unlikely)
            return false;
        rva += instruction.nbytes;
    }
    return section != NULL;
}

static bool side_is_inert(struct verify_moves *moves, const struct verify_piece *piece, unsigned side)
{
    const struct verify_section *section = piece->section;
    uint64_t used_end_rva = (uint64_t)section->rva + section->virtual_nbytes;
    uint64_t rva = piece->rva, end_rva = piece->end_rva;
    if (piece->is_slots)
        return true;
    if (section->virtual_nbytes != 0 && end_rva > used_end_rva)
        end_rva = used_end_rva;
    if (end_rva <= rva)
        return true;
    if (end_rva - rva > EDGE_NBYTES) {
        if (side == SIDE_BEGIN)
            end_rva = rva + EDGE_NBYTES;
        else
            rva = end_rva - EDGE_NBYTES;
    }
    if (is_typed_through(moves, rva, end_rva))
        return true;
    for (uint64_t i = 0; piece->is_code && i < DECODE_START_COUNT && rva + i < end_rva; i++)
        if (decodes_through(moves, rva + i, end_rva))
            return true;
    return false;
}

bool verify_edges_begin(struct verify_moves *moves)
{
    for (size_t i = 0; i < moves->old_tables.typed.count; i++) {
        const struct verify_range *range = &moves->old_tables.typed.items[i];
        if (!verify_moves_inert(moves, range->rva, range->end_rva - range->rva, range->what))
            return false;
    }
    merge(&moves->inert);
    moves->inert_sides = arena_alloc(moves->judged->arena, moves->map.count + 1);
    if (!moves->inert_sides)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        unsigned sides = (side_is_inert(moves, piece, SIDE_BEGIN) ? (unsigned)SIDE_BEGIN : 0u) |
                         (side_is_inert(moves, piece, SIDE_END) ? (unsigned)SIDE_END : 0u);
        moves->inert_sides[i] = (uint8_t)sides;
    }
    return true;
}

/* A neighbour with another distance, or NULL. `rva` lies in or beside `piece`. */
static const struct verify_piece *near_before(const struct verify_moves *moves,
                                              const struct verify_piece *piece, uint64_t rva)
{
    const struct verify_piece *before = piece > moves->map.pieces ? piece - 1 : NULL;
    return before && rva < (uint64_t)before->end_rva + EDGE_NBYTES && before->delta != piece->delta ? before
                                                                                                    : NULL;
}

static const struct verify_piece *near_behind(const struct verify_moves *moves,
                                              const struct verify_piece *piece, uint64_t rva)
{
    const struct verify_piece *behind = piece + 1 < moves->map.pieces + moves->map.count ? piece + 1 : NULL;
    return behind && rva + EDGE_NBYTES >= behind->rva && behind->delta != piece->delta ? behind : NULL;
}

bool verify_is_near_edge(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    return !piece || near_before(moves, piece, rva) || near_behind(moves, piece, rva);
}

static bool has_inert(const struct verify_moves *moves, const struct verify_piece *piece, unsigned side)
{
    return (moves->inert_sides[piece - moves->map.pieces] & side) != 0;
}

/* No piece holds rva: padding between sections, headers, or past the image. */
static bool meaning_of_gap(struct verify_moves *moves, uint64_t rva, int64_t *delta)
{
    const struct verify_piece *before = verify_piece_before(&moves->map, rva);
    const struct verify_piece *behind = verify_piece_behind(&moves->map, rva);
    if (before && behind && before->delta == behind->delta) {
        *delta = before->delta;
        return true;
    }
    if (before && rva - before->end_rva >= EDGE_NBYTES)
        before = NULL;
    if (behind && behind->rva - rva > EDGE_NBYTES)
        behind = NULL;
    if (before && behind && before->delta != behind->delta) {
        bool before_inert = has_inert(moves, before, SIDE_END);
        bool behind_inert = has_inert(moves, behind, SIDE_BEGIN);
        if (before_inert == behind_inert)
            return false;
        *delta = before_inert ? behind->delta : before->delta;
        return true;
    }
    if (!before && (!behind || behind == moves->map.pieces))
        return false;
    *delta = before ? before->delta : behind->delta;
    return true;
}

bool verify_meaning(struct verify_moves *moves, uint64_t rva, bool is_direct, int64_t *delta)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    if (!piece)
        return meaning_of_gap(moves, rva, delta);
    *delta = piece->delta;
    if (is_direct || piece->is_slots)
        return true;
    const struct verify_piece *before = near_before(moves, piece, rva);
    const struct verify_piece *behind = near_behind(moves, piece, rva);
    if (!before && !behind)
        return true;
    if (piece->is_code && verify_is_code_target(&moves->code, (uint32_t)rva, false))
        return true;
    bool other_has_arrays =
        (before && !has_inert(moves, before, SIDE_END)) || (behind && !has_inert(moves, behind, SIDE_BEGIN));
    if (!other_has_arrays)
        return true;
    bool own_has_arrays =
        (before && !has_inert(moves, piece, SIDE_BEGIN)) || (behind && !has_inert(moves, piece, SIDE_END));
    if (own_has_arrays || (before && behind))
        return false;
    *delta = before ? before->delta : behind->delta;
    return true;
}
