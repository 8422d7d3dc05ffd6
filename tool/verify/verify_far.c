/* verify_far.c - an index without known bounds: may its array lie far from the address in the instruction?
 * Takes: the map and an address that something is added to.  Gives: yes, or no.
 * Must not: take an address among instructions for the address of an array there.
 *
 * An index that does not begin with zero is folded into the address, element for element: table[code - 0x803]
 * of four-byte elements is stored as an address 0x200C bytes before the table, whatever lies there. */
#include "verify/verify_among_code.h"
#include "verify/verify_targets.h"
#include "verify/verify_text_literal.h"

enum { FAR_FOLD_NBYTES = 0x10000, FOLD_64_NBYTES = 0x1000, LEAST_ARRAY_NBYTES = 16 };

bool verify_is_in_instruction(struct verify_moves *moves, const struct verify_code_section *section,
                              size_t at)
{
    struct verify_instruction instruction;
    uint32_t rva = section->rva + (uint32_t)at;
    struct verify_function *function = verify_function_at(&moves->code, rva);
    if (!function || !verify_function_is_clean(&moves->code, function))
        return false;
    for (size_t back = 0; back < INSTRUCTION_MAX_NBYTES && back <= at; back++)
        if (verify_bit(section->starts, at - back))
            return verify_code_decode(&moves->code, section, at - back, &instruction) &&
                   instruction.nbytes > back;
    return false;
}

/* A table of pointers begins at rva, or one ends there and a table of bytes that choose from it begins: what
 * compilers put behind a function with a switch. Or a string literal. */
static bool is_data_in_code(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    unsigned nbytes = moves->judged->old_image.is_64 ? 8 : 4;
    if (!section)
        return false;
    size_t at = (size_t)(rva - section->rva);
    if (moves->judged->old_image.is_64)
        return !verify_is_in_instruction(moves, section, at);
    return verify_bit(section->relocated, at) ||
           (at >= nbytes && verify_bit(section->relocated, at - nbytes)) ||
           verify_is_text_literal(&moves->judged->old_image, rva, &moves->judged->verdict->step_count);
}

/* Behind the last byte that the linker counts. */
static uint64_t used_end(const struct verify_piece *piece)
{
    uint64_t end_rva = (uint64_t)piece->section->rva + piece->section->virtual_nbytes;
    return piece->section->virtual_nbytes != 0 && end_rva < piece->end_rva ? end_rva : piece->end_rva;
}

/* Sections that are such a table are the linker's own. */
static bool may_hold_arrays(const struct verify_moves *moves, const struct verify_piece *piece)
{
    static const unsigned tables[] = {DIR_EXPORT, DIR_RESOURCE, DIR_EXCEPTION, DIR_BASERELOC};
    const struct verify_image *image = &moves->judged->old_image;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && tables[i] < image->directory_count; i++) {
        struct verify_directory table = image->directories[tables[i]];
        if (table.rva == piece->rva &&
            (uint64_t)table.rva + table.nbytes + LEAST_ARRAY_NBYTES > used_end(piece))
            return false;
    }
    return !piece->is_code && !piece->is_slots;
}

static uint64_t distance(const struct verify_piece *piece, uint64_t rva)
{
    if (rva < piece->rva)
        return piece->rva - rva;
    return rva >= piece->end_rva ? rva - piece->end_rva : 0;
}

/* Neither headers nor gaps between parts hold an array: where code adds an index to an address there, it
 * means one elsewhere. */
static bool may_be_before_array(const struct verify_moves *moves, uint64_t rva)
{
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (may_hold_arrays(moves, piece) && piece->delta != 0 && distance(piece, rva) < FAR_FOLD_NBYTES)
            return true;
    }
    return false;
}

bool verify_only_array_distance(const struct verify_moves *moves, uint64_t rva, int64_t *delta)
{
    bool has_any = false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (!may_hold_arrays(moves, piece) || distance(piece, rva) >= FAR_FOLD_NBYTES)
            continue;
        if (has_any && piece->delta != *delta)
            return false;
        *delta = piece->delta;
        has_any = true;
    }
    return has_any;
}

bool verify_array_may_be_far(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    /* x64 has no index beside a RIP-relative address, but an address that is computed with may be that of the
     * structure around a list's head. */
    bool is_64 = moves->judged->old_image.is_64;
    if (!moves->map.moves_apart)
        return false;
    if (!own)
        return !is_64 && may_be_before_array(moves, rva);
    bool is_among_code = own->is_code && !is_data_in_code(moves, rva);
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (may_hold_arrays(moves, piece) && piece->delta != own->delta &&
            (is_among_code ||
             (!own->is_code && distance(piece, rva) < (is_64 ? FOLD_64_NBYTES : FAR_FOLD_NBYTES))))
            return true;
    }
    return false;
}

/* Asked once for each piece. */
static bool has_room(struct verify_moves *moves, size_t index)
{
    enum { ROOM_UNKNOWN, ROOM_FREE, ROOM_NONE };
    const struct verify_piece *piece = &moves->map.pieces[index];
    uint64_t end_rva = used_end(piece);
    if (moves->rooms[index] == ROOM_UNKNOWN)
        moves->rooms[index] =
            piece->rva < end_rva && verify_has_room(&moves->code, moves->judged->arena, piece->rva, end_rva)
                ? ROOM_FREE
                : ROOM_NONE;
    return moves->rooms[index] == ROOM_FREE;
}

bool verify_is_one_distance(struct verify_moves *moves, uint64_t rva, int64_t *delta)
{
    bool has_any = false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->is_code && distance(piece, rva) < FAR_FOLD_NBYTES && has_room(moves, i))
            return false;
        if (!may_hold_arrays(moves, piece))
            continue;
        if (has_any && piece->delta != *delta)
            return false;
        *delta = piece->delta;
        has_any = true;
    }
    return has_any;
}
