/* verify_tail.c - see verify_tail.h.
 * Source: PE format specification, "Debug Directory": AddressOfRawData is 0 when the data are not mapped. */
#include "verify/verify_tail.h"
#include "verify/verify_moved_headers.h"

enum { SIGNATURE_RSDS = 0x53445352, SIGNATURE_NB10 = 0x3031424E };

static uint64_t sections_end_foff(const struct verify_image *image)
{
    uint64_t end_foff = image->headers_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++) {
        uint64_t section_end_foff = (uint64_t)image->sections[i].raw_foff + image->sections[i].raw_nbytes;
        if (image->sections[i].raw_nbytes != 0 && section_end_foff > end_foff)
            end_foff = section_end_foff;
    }
    return end_foff;
}

static bool add_range(struct verify_moves *moves, struct verify_range_list *list, uint64_t foff,
                      uint64_t nbytes, const char *what)
{
    return nbytes == 0 || verify_range_add(moves->judged->arena, list, foff, nbytes, what);
}

/* Kinds without an address in them. */
static bool holds_no_address(uint32_t type, struct span data)
{
    uint32_t signature = 0;
    switch (type) {
    case DEBUG_TYPE_CODEVIEW: /* the name of a PDB file; what else it can be is symbols */
        return span_u32(data, 0, &signature) && (signature == SIGNATURE_RSDS || signature == SIGNATURE_NB10);
    case DEBUG_TYPE_MISC: /* the name of a DBG file */
    case DEBUG_TYPE_CLSID:
    case DEBUG_TYPE_VC_FEATURE:
    case DEBUG_TYPE_ILTCG:
    case DEBUG_TYPE_REPRO:
    case DEBUG_TYPE_PDB_CHECKSUM:
    case DEBUG_TYPE_EX_DLLCHARACTERISTICS:
        return true;
    default:
        return false;
    }
}

/* Records of functions: each begins with where its function begins. False with *differs_at, the offset of the
 * first record that is another. */
static bool is_same_fpo(struct verify_moves *moves, struct span old_data, struct span data,
                        size_t *differs_at)
{
    for (size_t at = 0; at < old_data.nbytes; at += FPO_ENTRY_NBYTES) {
        size_t nbytes = old_data.nbytes - at < FPO_ENTRY_NBYTES ? old_data.nbytes - at : FPO_ENTRY_NBYTES;
        moves->judged->verdict->step_count++;
        *differs_at = at;
        if (nbytes < FPO_ENTRY_NBYTES)
            return memcmp(old_data.bytes + at, data.bytes + at, nbytes) == 0;
        uint32_t rva = load_u32(old_data.bytes + at);
        const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
        uint32_t expected = piece ? (uint32_t)((int64_t)rva + piece->delta) : rva;
        if (load_u32(data.bytes + at) != expected ||
            memcmp(old_data.bytes + at + 4, data.bytes + at + 4, FPO_ENTRY_NBYTES - 4) != 0)
            return false;
    }
    return true;
}

/* The spot is that of the entry's PointerToRawData, or of data in the file. */
static bool refute_entry(struct verify_moves *moves, uint64_t new_rva, uint64_t data_foff, const char *what)
{
    uint32_t field_rva = (uint32_t)new_rva + DEBUG_POINTER_TO_RAW_DATA;
    return verify_refute(moves->judged,
                         data_foff == UINT64_MAX ? verify_spot_rva(moves->judged, field_rva)
                                                 : verify_spot_foff(moves->judged, data_foff),
                         "The debug entry at RVA 0x%llX of the new image %s.", (unsigned long long)new_rva,
                         what);
}

static bool compare_data(struct verify_moves *moves, uint32_t type, struct span old_data, uint64_t new_rva,
                         uint64_t new_foff)
{
    const struct verify_image *b = &moves->judged->new_image;
    struct span data;
    if (new_foff < sections_end_foff(b) || !span_part(b->file, new_foff, old_data.nbytes, &data))
        return refute_entry(moves, new_rva, UINT64_MAX, "has its data where the old image has none");
    size_t differs_at = 0;
    if (type == DEBUG_TYPE_FPO)
        return is_same_fpo(moves, old_data, data, &differs_at) ||
               refute_entry(moves, new_rva, new_foff + differs_at,
                            "has other frame data (FPO) than follow from the old ones");
    if (!holds_no_address(type, old_data))
        return verify_moves_unproved(moves, UINT32_MAX, "Debug data of type %u are not read here.",
                                     (unsigned)type);
    return (old_data.nbytes != 0 && memcmp(old_data.bytes, data.bytes, old_data.nbytes) == 0) ||
           refute_entry(moves, new_rva, new_foff, "has other data than the old one");
}

bool verify_unmapped_debug(struct verify_moves *moves, uint64_t entry_rva, uint32_t foff, uint32_t nbytes)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    const struct verify_piece *piece = verify_piece_at(&moves->map, entry_rva);
    uint64_t type, new_nbytes, new_foff;
    uint64_t new_rva = piece ? (uint64_t)((int64_t)entry_rva + piece->delta) : 0;
    struct span old_data = {0};
    bool is_there = span_part(a->file, foff, nbytes, &old_data);
    if (!piece || !verify_read_at(a, entry_rva + DEBUG_TYPE, 4, &type) ||
        !verify_read_at(b, new_rva + DEBUG_SIZE_OF_DATA, 4, &new_nbytes) ||
        !verify_read_at(b, new_rva + DEBUG_POINTER_TO_RAW_DATA, 4, &new_foff))
        return verify_moves_unproved(moves, (uint32_t)entry_rva,
                                     "The debug entry at RVA 0x%llX cannot be found in the new image.",
                                     (unsigned long long)entry_rva);
    if (is_there && !add_range(moves, &moves->old_tail, foff, nbytes, "debug data"))
        return false;
    bool is_left_out = new_nbytes == 0 && new_foff == 0;
    if (!is_left_out && !is_there)
        return refute_entry(moves, new_rva, UINT64_MAX,
                            "has data; those of the old one lie outside the file");
    return verify_moves_field(moves, entry_rva + DEBUG_SIZE_OF_DATA, 4, is_left_out ? 0 : nbytes,
                              "the size of debug data") &&
           verify_moves_field(moves, entry_rva + DEBUG_POINTER_TO_RAW_DATA, 4, new_foff,
                              "the file offset of debug data") &&
           (is_left_out || (compare_data(moves, (uint32_t)type, old_data, new_rva, new_foff) &&
                            add_range(moves, &moves->new_tail, new_foff, nbytes, "debug data")));
}

bool verify_symbol_range(const struct verify_image *image, uint64_t *foff, uint64_t *end_foff)
{
    const uint8_t *coff = image->file.bytes + image->coff_foff;
    uint64_t count = load_u32(coff + COFF_NUMBER_OF_SYMBOLS);
    uint32_t strings_nbytes = 0;
    *foff = load_u32(coff + COFF_POINTER_TO_SYMBOL_TABLE);
    *end_foff = *foff + count * COFF_SYMBOL_NBYTES;
    if (*foff == 0 || !range_fits(image->file.nbytes, *foff, count * COFF_SYMBOL_NBYTES))
        return false;
    if (span_u32(image->file, *end_foff, &strings_nbytes) && strings_nbytes >= 4 &&
        range_fits(image->file.nbytes, *end_foff, strings_nbytes))
        *end_foff += strings_nbytes;
    return true;
}

/* The first byte in [foff, stop_foff) that no range holds and that is not zero; stop_foff when there is none.
 * Sorts the ranges. */
static uint64_t first_unknown(struct verify_moves *moves, struct span file, struct verify_range_list *ranges,
                              uint64_t foff, uint64_t stop_foff)
{
    size_t i = 0;
    if (ranges->count > 1)
        verify_ranges_sort(ranges->items, ranges->count);
    while (foff < stop_foff) {
        while (i < ranges->count && ranges->items[i].end_rva <= foff)
            i++;
        moves->judged->verdict->step_count++;
        if (i < ranges->count && ranges->items[i].rva <= foff)
            foff = ranges->items[i].end_rva;
        else if (file.bytes[foff] != 0)
            return foff;
        else
            foff++;
    }
    return stop_foff;
}

/* Line numbers, and the relocations of object files: debuggers' and linkers' matters. */
static bool add_object_tables(struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image;
    for (uint32_t i = 0; i < a->section_count; i++) {
        const uint8_t *header = a->file.bytes + a->sections[i].header_foff;
        uint32_t lines_foff = load_u32(header + SECTION_POINTER_TO_LINENUMBERS);
        uint32_t relocations_foff = load_u32(header + SECTION_POINTER_TO_RELOCATIONS);
        if (!add_range(moves, &moves->old_tail, lines_foff,
                       (uint64_t)load_u16(header + SECTION_NUMBER_OF_LINENUMBERS) * COFF_LINENUMBER_NBYTES,
                       "line numbers") ||
            !add_range(moves, &moves->old_tail, relocations_foff,
                       (uint64_t)load_u16(header + SECTION_NUMBER_OF_RELOCATIONS) * COFF_RELOCATION_NBYTES,
                       "relocations of object files"))
            return false;
    }
    return true;
}

/* The header of the new file names symbols. A count without a place names none, and may be as it was. */
static bool has_symbol_fields(const struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    const uint8_t *old_coff = a->file.bytes + a->coff_foff, *coff = b->file.bytes + b->coff_foff;
    uint32_t count = load_u32(coff + COFF_NUMBER_OF_SYMBOLS);
    bool is_as_before = load_u32(old_coff + COFF_POINTER_TO_SYMBOL_TABLE) == 0 &&
                        load_u32(old_coff + COFF_NUMBER_OF_SYMBOLS) == count;
    return load_u32(coff + COFF_POINTER_TO_SYMBOL_TABLE) != 0 || (count != 0 && !is_as_before);
}

static bool check_new(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *b = &judged->new_image;
    uint64_t foff, end_foff, begin_foff = sections_end_foff(b);
    bool has_symbols = verify_symbol_range(b, &foff, &end_foff);
    if (has_symbols || has_symbol_fields(moves)) {
        if (!has_symbols || foff < begin_foff || !verify_symbols_are_kept(moves))
            return verify_refute(judged,
                                 verify_spot_foff(judged, b->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE),
                                 "The COFF symbols of the new file are not those of the old one.");
        if (!add_range(moves, &moves->new_tail, foff, end_foff - foff, "COFF symbols"))
            return false;
    }
    uint64_t unknown = first_unknown(moves, b->file, &moves->new_tail, begin_foff, b->file.nbytes);
    if (unknown < b->file.nbytes)
        return verify_refute(judged, verify_spot_foff(judged, unknown),
                             "The new file has bytes behind its last section (file offset 0x%llX) that "
                             "nothing of the old one explains.",
                             (unsigned long long)unknown);
    for (size_t i = 1; i < moves->new_tail.count; i++)
        if (moves->new_tail.items[i].rva < moves->new_tail.items[i - 1].end_rva)
            return verify_refute(judged, verify_spot_foff(judged, moves->new_tail.items[i].rva),
                                 "%s and %s of the new file overlap.", moves->new_tail.items[i - 1].what,
                                 moves->new_tail.items[i].what);
    return true;
}

static bool check_old(struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image;
    uint64_t foff, end_foff, stop_foff = a->file.nbytes;
    if (a->directory_count > DIR_SECURITY && a->directories[DIR_SECURITY].rva != 0 &&
        a->directories[DIR_SECURITY].rva < stop_foff)
        stop_foff = a->directories[DIR_SECURITY].rva;
    if (verify_symbol_range(a, &foff, &end_foff) &&
        !add_range(moves, &moves->old_tail, foff, end_foff - foff, "COFF symbols"))
        return false;
    if (!add_object_tables(moves))
        return false;
    uint64_t unknown = first_unknown(moves, a->file, &moves->old_tail, sections_end_foff(a), stop_foff);
    return unknown >= stop_foff ||
           verify_moves_unproved(moves, UINT32_MAX,
                                 "The old file has bytes behind its last section (file offset 0x%llX).",
                                 (unsigned long long)unknown);
}

bool verify_tail(struct verify_moves *moves)
{
    return check_new(moves) && check_old(moves);
}
