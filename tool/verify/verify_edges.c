/* verify_edges.c - decides what addresses near a change of distance mean.
 * Takes: the map and its sides.  Gives: verify_meaning().
 * Must not: let an address mean what it falls in when an array on the other side could be meant. */
#include "verify/verify_edges.h"
#include "verify/verify_bases.h"
#include "verify/verify_code_target.h"
#include "verify/verify_text_literal.h"
#include "verify/verify_ways.h"

/* All pieces within EDGE_NBYTES of an address, as far as they matter. */
struct vicinity {
    bool has_own_arrays;       /* in pieces of the distance of the one that holds the address */
    bool has_others;           /* pieces of another distance, */
    bool is_before, is_behind; /* on these sides, */
    bool has_other_arrays;     /* and in them */
    bool is_many;              /* arrays at two other distances */
    int64_t other_delta;       /* of the arrays, or of the first of the others */
    bool is_behind_edge;       /* the address is the first byte behind a piece of another distance */
};

static void add_neighbour(struct vicinity *vicinity, int64_t own_delta, const struct verify_piece *piece,
                          bool has_arrays)
{
    if (piece->delta == own_delta) {
        vicinity->has_own_arrays = vicinity->has_own_arrays || has_arrays;
        return;
    }
    if (has_arrays && vicinity->has_other_arrays && vicinity->other_delta != piece->delta)
        vicinity->is_many = true;
    if (has_arrays || !vicinity->has_others)
        vicinity->other_delta = piece->delta;
    vicinity->has_others = true;
    vicinity->has_other_arrays = vicinity->has_other_arrays || has_arrays;
}

/* `first` and `last` are the pieces before and behind rva that are not the one that holds it; their own
 * distances count as `own_delta` or as another. */
static struct vicinity look_around(const struct verify_moves *moves, uint64_t rva, int64_t own_delta,
                                   const struct verify_piece *before, const struct verify_piece *behind)
{
    const struct verify_piece *end = moves->map.pieces + moves->map.count;
    struct vicinity vicinity = {0};
    for (const struct verify_piece *piece = before;
         piece && piece >= moves->map.pieces && rva < (uint64_t)piece->end_rva + EDGE_NBYTES; piece--) {
        add_neighbour(&vicinity, own_delta, piece, !verify_side_is_inert(moves, piece, SIDE_END));
        vicinity.is_before = vicinity.is_before || piece->delta != own_delta;
        vicinity.is_behind_edge =
            vicinity.is_behind_edge || (piece->end_rva == rva && piece->delta != own_delta);
    }
    for (const struct verify_piece *piece = behind; piece && piece < end && rva + EDGE_NBYTES >= piece->rva;
         piece++) {
        add_neighbour(&vicinity, own_delta, piece, !verify_side_is_inert(moves, piece, SIDE_BEGIN));
        vicinity.is_behind = vicinity.is_behind || piece->delta != own_delta;
    }
    return vicinity;
}

static struct vicinity around_piece(const struct verify_moves *moves, const struct verify_piece *piece,
                                    uint64_t rva)
{
    const struct verify_piece *first = moves->map.pieces;
    return look_around(moves, rva, piece->delta, piece > first ? piece - 1 : NULL, piece + 1);
}

bool verify_edges_begin(struct verify_moves *moves)
{
    bool needs_branches = moves->map.moves_apart && !moves->judged->old_image.is_64;
    return (!needs_branches || verify_branches_find(&moves->code, moves->judged->arena)) &&
           verify_sides_find(moves) && verify_bases_find(moves);
}

bool verify_is_near_edge(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    return !piece || around_piece(moves, piece, rva).has_others;
}

/* No piece holds rva: padding between sections, headers, or past the image. */
static enum verify_meaning meaning_of_gap(const struct verify_moves *moves, uint64_t rva, int64_t *delta)
{
    const struct verify_piece *before = verify_piece_before(&moves->map, rva);
    const struct verify_piece *behind = verify_piece_behind(&moves->map, rva);
    if (before && behind && before->delta == behind->delta) {
        *delta = before->delta;
        return MEANING_SURE;
    }
    if (!before && behind == moves->map.pieces)
        return MEANING_OPEN; /* the headers are there too */
    const struct verify_piece *own = before && rva - before->end_rva < EDGE_NBYTES ? before : behind;
    if (!own || (own == behind && behind->rva - rva > EDGE_NBYTES))
        return MEANING_OPEN;
    struct vicinity vicinity = look_around(moves, rva, own->delta, before, behind);
    *delta = own->delta;
    if (!vicinity.has_others)
        return MEANING_SURE;
    if (vicinity.has_own_arrays == vicinity.has_other_arrays || vicinity.is_many)
        return MEANING_OPEN;
    if (vicinity.has_other_arrays)
        *delta = vicinity.other_delta;
    return MEANING_INFERRED;
}

/* An item that addresses lead to for its own sake: an import slot, or the begin of code. */
static bool is_item(struct verify_moves *moves, const struct verify_piece *piece, uint64_t rva,
                    const struct vicinity *vicinity)
{
    unsigned width_nbytes = moves->judged->old_image.is_64 ? 8 : 4;
    if (piece->is_slots)
        return (rva - piece->rva) % width_nbytes == 0 && !verify_has_base_near(moves, piece, rva);
    if (!piece->is_code || !verify_is_code_target(&moves->code, (uint32_t)rva, false))
        return false;
    /* The end of an array is where the code behind it begins. */
    return !vicinity->is_behind_edge || !verify_has_base_near(moves, piece, rva);
}

/* The begin of a string literal means itself, unless what lies before it ends there. */
static bool is_literal(struct verify_moves *moves, uint64_t rva, const struct vicinity *vicinity)
{
    return !vicinity->is_behind_edge &&
           verify_is_text_literal(&moves->judged->old_image, rva, &moves->judged->verdict->step_count);
}

enum verify_meaning verify_meaning(struct verify_moves *moves, uint64_t rva, enum verify_address_use use,
                                   int64_t *delta)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    if (!piece)
        return meaning_of_gap(moves, rva, delta);
    *delta = piece->delta;
    if (use == ADDRESS_DIRECT)
        return MEANING_SURE;
    struct vicinity vicinity = around_piece(moves, piece, rva);
    if (!vicinity.has_others || !vicinity.has_other_arrays)
        return MEANING_SURE;
    if (use == ADDRESS_TAKEN && (is_item(moves, piece, rva, &vicinity) || is_literal(moves, rva, &vicinity)))
        return MEANING_SURE;
    /* An array of its own may begin or end a little farther from the edge than the address. */
    bool is_deep = (!vicinity.is_before || verify_side_is_inert(moves, piece, SIDE_BEGIN_DEEP)) &&
                   (!vicinity.is_behind || verify_side_is_inert(moves, piece, SIDE_END_DEEP));
    if (vicinity.has_own_arrays || vicinity.is_many || !is_deep)
        return MEANING_OPEN;
    *delta = vicinity.other_delta;
    return MEANING_INFERRED;
}
