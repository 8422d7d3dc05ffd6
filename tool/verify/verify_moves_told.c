/* verify_moves_told.c - hands the proved map on to whoever holds other things against it.
 * Takes: struct verify_moves, proved.  Gives: moves and copies of the verdict.  Must not: be called before.
 */
#include "verify/verify_repairs.h"

bool verify_tell_moves(struct verify_moves *moves)
{
    struct verify_verdict *verdict = moves->judged->verdict;
    const struct verify_repairs *repairs = &moves->repairs;
    verdict->moves = arena_array(moves->judged->arena, moves->map.count + 1, sizeof *verdict->moves);
    verdict->copies = arena_array(moves->judged->arena, repairs->copy_count + 1, sizeof *verdict->copies);
    if (!verdict->moves || !verdict->copies)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        verdict->moves[verdict->move_count++] = (struct verify_move){
            piece->rva, piece->end_rva - piece->rva, (uint32_t)((int64_t)piece->rva + piece->delta)};
    }
    for (size_t i = 0; i < repairs->copy_count; i++)
        verdict->copies[verdict->copy_count++] = (struct verify_move){
            repairs->copies[i].rva, repairs->copies[i].nbytes, repairs->copies[i].copy_rva};
    return true;
}
