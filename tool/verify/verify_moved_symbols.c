/* verify_moved_symbols.c - COFF symbols behind the sections of a page-aligned image.
 * Takes: both files and the map.  Gives: true when the new symbols are the old ones.
 * Must not: let anything else than a symbol's place differ. Nothing loads symbols. */
#include "verify/verify_moved_headers.h"
#include "verify/verify_tail.h"

/* The RVA of a symbol; false for those that have none. */
static bool symbol_rva(const struct verify_image *image, const uint8_t *symbol, uint64_t *rva)
{
    uint32_t number = load_u16(symbol + COFF_SYMBOL_SECTION);
    if (number == 0 || number > image->section_count)
        return false;
    *rva = (uint64_t)image->sections[number - 1].rva + load_u32(symbol + COFF_SYMBOL_VALUE);
    return true;
}

/* The same record, or the same but for where its content went. */
static bool is_same_symbol(const struct verify_moves *moves, const uint8_t *old_symbol, const uint8_t *symbol)
{
    uint64_t old_rva, rva;
    if (memcmp(old_symbol, symbol, COFF_SYMBOL_NBYTES) == 0)
        return true;
    if (memcmp(old_symbol, symbol, COFF_SYMBOL_VALUE) != 0 ||
        memcmp(old_symbol + COFF_SYMBOL_SECTION + 2, symbol + COFF_SYMBOL_SECTION + 2,
               COFF_SYMBOL_NBYTES - COFF_SYMBOL_SECTION - 2) != 0 ||
        !symbol_rva(&moves->judged->old_image, old_symbol, &old_rva) ||
        !symbol_rva(&moves->judged->new_image, symbol, &rva))
        return false;
    const struct verify_piece *piece = verify_piece_at(&moves->map, old_rva);
    return piece && (int64_t)rva == (int64_t)old_rva + piece->delta;
}

bool verify_symbols_are_kept(struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    uint64_t old_foff, old_end_foff, foff, end_foff;
    uint64_t count = load_u32(a->file.bytes + a->coff_foff + COFF_NUMBER_OF_SYMBOLS);
    if (a->section_alignment < PAGE_NBYTES || !verify_symbol_range(a, &old_foff, &old_end_foff) ||
        !verify_symbol_range(b, &foff, &end_foff) || old_end_foff - old_foff != end_foff - foff ||
        load_u32(b->file.bytes + b->coff_foff + COFF_NUMBER_OF_SYMBOLS) != count)
        return false;
    const uint8_t *old_symbols = a->file.bytes + old_foff, *symbols = b->file.bytes + foff;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *old_symbol = old_symbols + i * COFF_SYMBOL_NBYTES,
                      *symbol = symbols + i * COFF_SYMBOL_NBYTES;
        uint64_t aux_count = old_symbol[COFF_SYMBOL_AUX_COUNT];
        moves->judged->verdict->step_count++;
        if (aux_count >= count - i)
            aux_count = count - i - 1;
        if (!is_same_symbol(moves, old_symbol, symbol) ||
            memcmp(old_symbol + COFF_SYMBOL_NBYTES, symbol + COFF_SYMBOL_NBYTES,
                   aux_count * COFF_SYMBOL_NBYTES) != 0)
            return false;
        i += aux_count;
    }
    uint64_t names_at = count * COFF_SYMBOL_NBYTES;
    return memcmp(old_symbols + names_at, symbols + names_at, old_end_foff - old_foff - names_at) == 0;
}
