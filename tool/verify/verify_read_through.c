/* verify_read_through.c - addresses through which code reads what a new layout changes or tears apart.
 * Takes: a field in code that takes an address.  Gives: whether what is read there would be another.
 * Must not: object to calls, to stored addresses, or to reads of plain data.
 *
 * A driver may sum the bytes of its own functions; operands that are encoded anew change the sum. And clang
 * makes a table of distances out of a switch that returns addresses: table + table[i], which no relocation
 * names. */
#include "verify/verify_read_through.h"
#include "verify/verify_follow.h"

enum { MOST_ENTRIES_COUNT = 1024, ENTRY_NBYTES = 4 };

/* What lies at rva, read as distances from it, leads to another part: up to the first that leads out of the
 * image. */
static bool is_torn(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    uint64_t entry;
    for (unsigned i = 0; own && i < MOST_ENTRIES_COUNT; i++) {
        if (!verify_read_at(image, rva + (uint64_t)i * ENTRY_NBYTES, ENTRY_NBYTES, &entry))
            return false;
        int64_t led_to = (int64_t)rva + (int32_t)(uint32_t)entry;
        moves->judged->verdict->step_count++;
        if (led_to < 0 || led_to >= image->image_nbytes)
            return false;
        const struct verify_piece *piece = verify_piece_at(&moves->map, (uint64_t)led_to);
        if (piece && piece->delta != own->delta)
            return true;
    }
    return false;
}

bool verify_reads_what_changed(struct verify_moves *moves, const struct verify_field_in_code *field,
                               uint64_t rva)
{
    bool is_code = verify_is_instruction(&moves->code, rva);
    bool is_table = !is_code && moves->judged->old_image.is_64 && !verify_code_at(&moves->code, rva);
    if (!moves->map.moves_apart || (!is_code && !(is_table && is_torn(moves, rva))) ||
        !(verify_uses_possible(&moves->code, field).uses & USE_ADDRESS))
        return false;
    struct verify_uses uses = verify_uses_resolved(&moves->code, field);
    if (!uses.is_operand || !uses.is_unanimous || !(uses.uses & USE_ADDRESS))
        return false;
    struct verify_followed followed = verify_follow(&moves->code, field->section, uses.operand_at, 0);
    if (!is_code)
        return followed.is_added;
    /* Where unwind data say that it is a function, any read is one of its bytes. */
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)rva);
    return followed.is_indexed || followed.is_stepped ||
           (followed.accessed.count != 0 && (followed.is_added || (function && !function->is_gap)));
}
