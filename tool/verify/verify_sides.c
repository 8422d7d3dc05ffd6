/* verify_sides.c - the bytes beside each end of a piece: could an array live there?
 * Takes: the map, the old image's code and typed tables.  Gives: moves->inert_sides.
 * Must not: take a side for free of arrays because its bytes look like padding. */
#include "verify/verify_sides.h"
#include "verify/verify_code.h"

enum { SMALL_GAP_NBYTES = 16, DECODE_START_COUNT = 16 };

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

/* Assemblers may align functions of sections other than .text with zeros. */
static bool skip_alignment(const struct verify_moves *moves, uint64_t *rva)
{
    uint64_t next_rva = (*rva + SMALL_GAP_NBYTES - 1) / SMALL_GAP_NBYTES * SMALL_GAP_NBYTES;
    if (next_rva == *rva || !is_filled(moves, *rva, next_rva, 0))
        return false;
    *rva = next_rva;
    return true;
}

/* One instruction after the other from `rva`, int3 between them, typed ranges skipped; zeros at the end, or
 * where code does not go on. */
static bool decodes_through(struct verify_moves *moves, uint64_t rva, uint64_t end_rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    struct verify_instruction instruction;
    bool has_ended = false;
    while (section && rva < end_rva) {
        uint64_t next_rva = inert_end(&moves->inert, rva);
        size_t at = rva - section->rva;
        if (next_rva > rva) {
            rva = next_rva;
            continue;
        }
        if (at >= section->bytes.nbytes || is_filled(moves, rva, end_rva, 0))
            return true;
        if (has_ended && skip_alignment(moves, &rva))
            continue;
        if (section->bytes.bytes[at] == 0xCC) {
            rva++;
            continue;
        }
        if (!verify_code_decode(&moves->code, section, at, &instruction) || instruction.is_unlikely)
            return false;
        has_ended = instruction.flow == FLOW_STOP || instruction.flow == FLOW_JUMP;
        rva += instruction.nbytes;
    }
    return section != NULL;
}

/* `nbytes` bytes at the begin or the end of the piece. */
static bool is_inert(struct verify_moves *moves, const struct verify_piece *piece, bool at_begin,
                     uint64_t nbytes)
{
    const struct verify_section *section = piece->section;
    uint64_t used_end_rva = (uint64_t)section->rva + section->virtual_nbytes;
    uint64_t rva = piece->rva, end_rva = piece->end_rva;
    /* Code may run through the slots as through an array; from behind them nobody does. */
    if (piece->is_slots)
        return !at_begin;
    if (section->virtual_nbytes != 0 && end_rva > used_end_rva)
        end_rva = used_end_rva;
    if (end_rva <= rva)
        return true;
    if (end_rva - rva > nbytes) {
        if (at_begin)
            end_rva = rva + nbytes;
        else
            rva = end_rva - nbytes;
    }
    if (is_typed_through(moves, rva, end_rva))
        return true;
    for (uint64_t i = 0; piece->is_code && i < DECODE_START_COUNT && rva + i < end_rva; i++)
        if (decodes_through(moves, rva + i, end_rva))
            return true;
    /* Room for a patch in front of the first function. */
    return piece->is_code && at_begin && rva + DECODE_START_COUNT < end_rva &&
           is_filled(moves, rva, rva + DECODE_START_COUNT, 0) &&
           decodes_through(moves, rva + DECODE_START_COUNT, end_rva);
}

bool verify_sides_find(struct verify_moves *moves)
{
    moves->inert_sides = arena_alloc(moves->judged->arena, moves->map.count + 1);
    moves->rooms = arena_alloc(moves->judged->arena, moves->map.count + 1);
    if (!moves->inert_sides || !moves->rooms)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        unsigned sides = 0;
        if (is_inert(moves, piece, true, EDGE_NBYTES))
            sides |= SIDE_BEGIN;
        if (is_inert(moves, piece, false, EDGE_NBYTES))
            sides |= SIDE_END;
        if ((sides & SIDE_BEGIN) && is_inert(moves, piece, true, (uint64_t)2 * EDGE_NBYTES))
            sides |= SIDE_BEGIN_DEEP;
        if ((sides & SIDE_END) && is_inert(moves, piece, false, (uint64_t)2 * EDGE_NBYTES))
            sides |= SIDE_END_DEEP;
        moves->inert_sides[i] = (uint8_t)sides;
    }
    return true;
}

bool verify_side_is_inert(const struct verify_moves *moves, const struct verify_piece *piece, unsigned side)
{
    return (moves->inert_sides[piece - moves->map.pieces] & side) != 0;
}
