/* verify_moved_slots.c - places that the loader writes in a moved image, and data directory 12.
 * Takes: struct verify_moves.  Gives: true, or the place that must not be so.
 * Must not: ask that the directory holds what it did not hold before. */
#include "verify/verify_moved_rights.h"
#include "verify/verify_repairs.h"

static bool is_inside(struct verify_directory directory, uint64_t rva, uint64_t end_rva)
{
    return rva >= directory.rva && end_rva <= (uint64_t)directory.rva + directory.nbytes;
}

/* Who edits an image puts the slots of another import where there is room, and leaves data directory 12
 * alone: then it goes with its part, and each array that it held is still in it. */
static bool holds_what_it_held(const struct verify_moves *moves, struct verify_directory old_iat,
                               struct verify_directory iat)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, old_iat.rva);
    if (old_iat.nbytes == 0 || iat.nbytes != old_iat.nbytes ||
        iat.rva != (int64_t)old_iat.rva + (piece ? piece->delta : 0))
        return false;
    for (size_t i = 0; i < moves->old_tables.written.count; i++) {
        const struct verify_range *range = &moves->old_tables.written.items[i];
        piece = verify_piece_at(&moves->map, range->rva);
        int64_t delta = piece ? piece->delta : 0;
        if (strstr(range->what, "FirstThunk") && is_inside(old_iat, range->rva, range->end_rva) &&
            !is_inside(iat, (uint64_t)((int64_t)range->rva + delta),
                       (uint64_t)((int64_t)range->end_rva + delta)))
            return false;
    }
    return true;
}

/* No place that the loader writes is executable. */
bool verify_moved_slots(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    struct verify_directory iat = judged->new_image.directory_count > DIR_IAT
                                      ? judged->new_image.directories[DIR_IAT]
                                      : (struct verify_directory){0, 0};
    struct verify_directory old_iat = judged->old_image.directory_count > DIR_IAT
                                          ? judged->old_image.directories[DIR_IAT]
                                          : (struct verify_directory){0, 0};
    bool holds_the_same = holds_what_it_held(moves, old_iat, iat);
    uint64_t first_rva = UINT64_MAX, last_rva = 0;
    for (size_t i = 0; i < moves->new_tables.written.count; i++) {
        const struct verify_range *range = &moves->new_tables.written.items[i];
        const struct verify_section *section = verify_section_at(&judged->new_image, (uint32_t)range->rva);
        bool is_import = strstr(range->what, "FirstThunk") != NULL;
        if (!section && range->rva == iat.rva && !verify_section_at(&judged->old_image, iat.rva))
            return verify_moves_unproved(
                moves, iat.rva, "The IAT's data directory leads to RVA 0x%X, which is in no section.",
                (unsigned)iat.rva);
        if (!section || (section->characteristics & SCN_MEM_EXECUTE))
            return verify_refute(judged, verify_spot_rva(judged, (uint32_t)range->rva),
                                 "%s at RVA 0x%llX of the new image is in an executable section or in none.",
                                 range->what, (unsigned long long)range->rva);
        if (verify_needs_write(range->what) && !(section->characteristics & SCN_MEM_WRITE))
            return verify_refute(judged, verify_spot_rva(judged, (uint32_t)range->rva),
                                 "%s at RVA 0x%llX of the new image is not in a writable section.",
                                 range->what, (unsigned long long)range->rva);
        if (is_import && range->rva < first_rva)
            first_rva = range->rva;
        if (is_import && range->end_rva > last_rva)
            last_rva = range->end_rva;
        if (is_import && iat.nbytes != 0 && !holds_the_same && !is_inside(iat, range->rva, range->end_rva))
            return verify_refute(judged, verify_spot_rva(judged, (uint32_t)range->rva),
                                 "The thunk array at RVA 0x%llX is not inside data directory 12.",
                                 (unsigned long long)range->rva);
    }
    if (holds_the_same || (iat.nbytes == 0 && old_iat.nbytes == 0))
        return true;
    /* Exactly the arrays, or the arrays joined with what the directory had before. */
    uint64_t old_first_rva = old_iat.rva;
    const struct verify_piece *piece = verify_piece_at(&moves->map, old_first_rva);
    uint64_t was_first_rva = piece ? (uint64_t)((int64_t)old_iat.rva + piece->delta) : first_rva;
    uint64_t was_end_rva = piece ? was_first_rva + old_iat.nbytes : last_rva;
    uint64_t joined_first = was_first_rva < first_rva ? was_first_rva : first_rva;
    uint64_t joined_end = was_end_rva > last_rva ? was_end_rva : last_rva;
    bool is_arrays = iat.rva == first_rva && (uint64_t)iat.rva + iat.nbytes == last_rva;
    bool is_joined = iat.rva == joined_first && (uint64_t)iat.rva + iat.nbytes == joined_end;
    return is_arrays || is_joined ||
           verify_refute(judged, verify_spot_rva(judged, iat.rva),
                         "Data directory 12 of the new image is RVA 0x%X to 0x%llX; the import slots are RVA "
                         "0x%llX to 0x%llX.",
                         (unsigned)iat.rva, (unsigned long long)iat.rva + iat.nbytes,
                         (unsigned long long)first_rva, (unsigned long long)last_rva);
}
