/* edges.c - near the border of two pieces that part: which of them does an address mean?
 * Takes: pieces with their new places, extents, code map.  Gives: a piece, or "it could be either".
 * Must not: read what an instruction does with an address; referents.c does.
 *
 * Compilers fold constants into addresses: `array[i - 4]` is stored as an address before the array,
 * `&array[N]` as the one behind it. So an address may mean every piece that has a datum within NEAR_NBYTES of
 * it (stated assumption: none is folded further across a border). Bytes in which no such datum can lie do not
 * count: decoded code, tables that only the loader and its like read, and fill. What is known by its own
 * address, the begin of a function, of such a table or of a string literal, means itself; nothing is folded
 * forwards over the end of a literal. An address that nothing computes with is as the source has it: nobody
 * forms one in front of a literal. */
#include "plan/rewrite.h"

enum { NEAR_NBYTES = 0x100 };

/* Where the data of a piece lies: what an array could be. */
struct zone {
    bool has_data;
    uint32_t first_rva, last_rva; /* first and last byte of it */
    bool reaches_on;              /* some of it may be meant by an address behind the piece, */
    uint32_t last_reaching_rva;   /* up to this byte: literals behind it are not */
};

struct edges {
    const struct rewrite *rewrite;
    const struct datum_bytes *bytes;
    struct zone *zones[2]; /* one a piece: all data, and data but for literals */
};

static bool is_inert(const struct edges *edges, uint32_t rva)
{
    uint32_t foff;
    return image_rva_to_foff(edges->rewrite->image, rva, 1, &foff) &&
           site_set_has(&edges->bytes->inert, foff);
}

static bool is_literal(const struct edges *edges, uint32_t rva)
{
    uint32_t foff;
    return image_rva_to_foff(edges->rewrite->image, rva, 1, &foff) &&
           (site_set_has(&edges->bytes->literals, foff) || site_set_has(&edges->bytes->texts.bytes, foff));
}

/* The byte is no datum, or (but_literals) one of a string literal. */
static bool does_not_count(const struct edges *edges, uint32_t rva, bool but_literals)
{
    uint32_t foff;
    return is_inert(edges, rva) || (but_literals && image_rva_to_foff(edges->rewrite->image, rva, 1, &foff) &&
                                    site_set_has(&edges->bytes->texts.bytes, foff));
}

static void find_zone(struct edges *edges, size_t index, bool but_literals)
{
    const struct piece *piece = &edges->rewrite->layout->pieces[index];
    struct zone *zone = &edges->zones[but_literals][index];
    if (piece->kind == PIECE_HEADERS || piece->kind == PIECE_RELOCATIONS || piece->nbytes == 0)
        return;
    struct span run = image_run_at_rva(edges->rewrite->image, piece->old_rva);
    uint32_t backed = run.nbytes < piece->nbytes ? (uint32_t)run.nbytes : piece->nbytes, first = 0;
    while (first < backed && does_not_count(edges, piece->old_rva + first, but_literals))
        first++;
    if (first == piece->nbytes)
        return;
    uint32_t last = piece->nbytes - 1;
    while (last > first && last < backed && does_not_count(edges, piece->old_rva + last, but_literals))
        last--;
    uint32_t reaching = last;
    while (reaching > first && reaching < backed &&
           (is_inert(edges, piece->old_rva + reaching) || is_literal(edges, piece->old_rva + reaching)))
        reaching--;
    bool reaches_on = reaching >= backed || !is_literal(edges, piece->old_rva + reaching);
    *zone = (struct zone){true, piece->old_rva + first, piece->old_rva + last, reaches_on,
                          piece->old_rva + reaching};
}

const struct edges *edges_new(const struct rewrite *rewrite)
{
    struct edges *edges = arena_alloc(rewrite->arena, sizeof *edges);
    if (!edges)
        return NULL;
    edges->rewrite = rewrite;
    edges->bytes = &rewrite->datum_bytes;
    for (int i = 0; i < 2; i++) {
        edges->zones[i] = arena_array(rewrite->arena, rewrite->layout->piece_count, sizeof *edges->zones[i]);
        if (!edges->zones[i])
            return NULL;
    }
    for (size_t i = 0; i < rewrite->layout->piece_count; i++) {
        find_zone(edges, i, false);
        find_zone(edges, i, true);
    }
    return edges;
}

/* The pieces within NEAR_NBYTES of t are [*first, *end). */
static void find_near(const struct layout *layout, uint32_t t, size_t *first, size_t *end)
{
    size_t own = (size_t)(layout_piece_at(layout, t) - layout->pieces);
    for (*first = own; *first > 0; (*first)--)
        if (t - piece_end_rva(&layout->pieces[*first - 1]) > NEAR_NBYTES)
            break;
    for (*end = own + 1; *end < layout->piece_count; (*end)++)
        if (layout->pieces[*end].old_rva - t > NEAR_NBYTES)
            break;
}

bool edges_has_data(const struct edges *edges, const struct piece *piece)
{
    return edges->zones[1][piece - edges->rewrite->layout->pieces].has_data;
}

bool edges_matter(const struct edges *edges, uint32_t t)
{
    const struct layout *layout = edges->rewrite->layout;
    size_t first, end;
    find_near(layout, t, &first, &end);
    if (layout->pieces[first].kind ==
        PIECE_HEADERS) /* no data, and code that asks for them is judged apart */
        first++;
    for (size_t i = first + 1; i < end; i++)
        if (piece_delta(&layout->pieces[i]) != piece_delta(&layout->pieces[first]))
            return true;
    return false;
}

/* Behind the last byte of the piece that is not fill: the end of an array that lies last in it. */
static uint32_t data_end_rva(const struct edges *edges, size_t index)
{
    const struct piece *piece = &edges->rewrite->layout->pieces[index];
    const struct zone *zone = &edges->zones[0][index];
    return zone->has_data ? zone->last_rva + 1 : piece_end_rva(piece);
}

/* A function's address is passed, stored, called, or compared; what is computed with, is folded. What only a
 * pointer in data says to be a function, and a function branches to inside itself, is a label of that. */
static bool is_meant_function(const struct edges *edges, uint32_t t, enum address_use use)
{
    const struct rewrite *rewrite = edges->rewrite;
    const struct code_function *function = code_function_at(rewrite->code, t);
    uint32_t foff;
    if (!function || use == USE_COMPUTED || use == USE_INDEXED_WIDE)
        return false;
    bool is_named_by_address =
        function->source == FUNCTION_RELOCATED_POINTER || function->source == FUNCTION_LEA;
    if (function->source == FUNCTION_RELOCATED_POINTER && image_rva_to_foff(rewrite->image, t, 1, &foff) &&
        site_set_has(&rewrite->destinations.inner, foff))
        return false;
    return use == USE_AS_IS || !is_named_by_address;
}

/* t is known by itself: the first byte of a function, of a table that only others than code read, or of a
 * string literal. */
static bool is_known_begin(const struct edges *edges, uint32_t t, enum address_use use)
{
    const struct rewrite *rewrite = edges->rewrite;
    uint32_t foff;
    if (image_rva_to_foff(rewrite->image, t, 1, &foff) && site_set_has(&edges->bytes->literal_begins, foff))
        return true;
    if (!is_inert(edges, t))
        return false;
    if (code_class_at(rewrite->code, t) == BYTE_INSTRUCTION)
        return is_meant_function(edges, t, use);
    return image_rva_to_foff(rewrite->image, t, 1, &foff) && site_set_has(&edges->bytes->begins, foff);
}

static bool is_text_begin(const struct edges *edges, uint32_t t)
{
    uint32_t foff;
    return image_rva_to_foff(edges->rewrite->image, t, 1, &foff) &&
           site_set_has(&edges->bytes->texts.begins, foff);
}

/* A loop over the slots may begin at an address in front of them, or end at the one behind them. */
static bool may_be_slot_loop(const struct piece *piece, uint32_t t, enum address_use use)
{
    if (t >= piece->old_rva)
        return t - piece->old_rva <= piece->nbytes;
    return use != USE_AS_IS && piece->old_rva - t <= NEAR_NBYTES;
}

/* The loader writes there, in a run of data that leaves with its slots. */
static bool is_in_slot(const struct edges *edges, uint32_t t)
{
    const struct rewrite *rewrite = edges->rewrite;
    for (size_t i = 0; i < rewrite->slot_count; i++)
        if (t - rewrite->slots[i].rva < rewrite->slots[i].nbytes)
            return true;
    return false;
}

/* Does the piece have data so near to t that t can be an address in or beside it? */
static bool may_mean(const struct edges *edges, size_t index, uint32_t t, enum address_use use,
                     bool but_literals)
{
    const struct zone *zone = &edges->zones[but_literals][index];
    const struct piece *piece = &edges->rewrite->layout->pieces[index];
    bool is_slots = piece->kind == PIECE_IAT || piece->kind == PIECE_SLOTS || piece->kind == PIECE_VARIABLES;
    if (is_slots && may_be_slot_loop(piece, t, use))
        return t != piece_end_rva(piece) || use != USE_AS_IS ||
               !(is_known_begin(edges, t, use) || is_text_begin(edges, t));
    if (t - piece->old_rva < piece->nbytes && is_in_slot(edges, t))
        return true;
    if (!zone->has_data)
        return false;
    if (t < zone->first_rva)
        return zone->first_rva - t <= NEAR_NBYTES;
    if (t >= piece_end_rva(piece))
        return t == zone->last_rva + 1 || (zone->reaches_on && t - zone->last_reaching_rva <= NEAR_NBYTES);
    return t <= zone->last_rva || t - zone->last_rva <= NEAR_NBYTES;
}

const struct piece *edges_decide(const struct edges *edges, uint32_t t, enum address_use use)
{
    const struct layout *layout = edges->rewrite->layout;
    const struct piece *own = layout_piece_at(layout, t), *meant = NULL;
    size_t first, end;
    bool is_behind_other = false, is_ambiguous = false, own_may = false;
    find_near(layout, t, &first, &end);
    for (size_t i = first; i < end; i++) {
        const struct piece *piece = &layout->pieces[i];
        bool but_literals = use == USE_INDEXED_WIDE || (use == USE_AS_IS && piece != own);
        if (!may_mean(edges, i, t, use, but_literals))
            continue;
        own_may |= piece == own;
        is_behind_other |= piece_delta(piece) != piece_delta(own) && data_end_rva(edges, i) == t;
        is_ambiguous |= meant && piece_delta(meant) != piece_delta(piece);
        if (!meant || piece == own)
            meant = piece;
    }
    if (!meant)
        return own;
    if (!is_ambiguous && piece_delta(meant) == piece_delta(own))
        return own;
    /* Some other piece may be meant. */
    bool is_in_own_fill = t >= piece_end_rva(own);
    if (!is_behind_other && !is_in_own_fill && is_known_begin(edges, t, use))
        return own;
    if (is_ambiguous || (is_behind_other && own_may))
        return NULL;
    /* Only the other has data here; it is meant, unless t is known to be something of its own, or may be a
     * label: addresses that nothing computes with are seldom folded, and labels are their own. A function's
     * bytes may be read. */
    bool is_computed = use == USE_COMPUTED || use == USE_INDEXED_WIDE;
    bool may_be_label = is_computed ? code_function_at(edges->rewrite->code, t) != NULL
                                    : code_class_at(edges->rewrite->code, t) == BYTE_INSTRUCTION;
    if (may_be_label || (is_behind_other && is_known_begin(edges, t, use)))
        return NULL;
    return meant;
}
