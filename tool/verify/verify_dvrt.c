/* verify_dvrt.c - the dynamic value relocation table of a moved image: places in code that the kernel
 * rewrites. Takes: where the load configuration says that the table is.  Gives: the fields that lead to it;
 * the table itself stays as it is. Must not: accept a table that names what moved. Source: winnt.h,
 * IMAGE_DYNAMIC_RELOCATION_TABLE.
 *
 * Entries are offsets in pages of code, and numbers of import slots, counted from data directory 12. Both
 * hold where code did not move and the directory begins with the slot that it began with. */
#include "verify/verify_dvrt.h"

/* The low bits of an entry are the offset in its page; numbers of slots and registers are above. */
enum { OFFSET_MASK = 0xFFF, SLOT_ENTRY_NBYTES = 4, ENTRY_NBYTES = 2 };

enum {
    RECORD_HEADER_NBYTES_64 = 12,
    RECORD_HEADER_NBYTES_32 = 8,
    OVERRIDE_NBYTES = 16,
    OVERRIDE_RVA_SIZE = 8,
    OVERRIDE_PLACES_SIZE = 12
};

static bool not_read(struct verify_moves *moves, uint64_t rva, const char *what)
{
    return verify_moves_unproved(moves, (uint32_t)rva, "The dynamic value relocation table at RVA 0x%llX %s.",
                                 (unsigned long long)rva, what);
}

static bool stays(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    return !piece || piece->delta == 0;
}

/* Each place that the entries of one block name, in the page at page_rva. What pads a block names the begin
 * of the page once more. */
static bool judge_entries(struct verify_moves *moves, uint64_t rva, uint64_t end_rva, uint64_t page_rva,
                          unsigned entry_nbytes)
{
    uint64_t entry_rva = rva;
    for (; end_rva - entry_rva >= entry_nbytes; entry_rva += entry_nbytes) {
        struct span bytes = verify_bytes_at(&moves->judged->old_image, entry_rva);
        moves->judged->verdict->step_count++;
        if (bytes.nbytes < entry_nbytes || !stays(moves, page_rva + (load_u16(bytes.bytes) & OFFSET_MASK)))
            return not_read(moves, entry_rva, "names a place that moved");
    }
    return true;
}

/* Blocks of [rva, end_rva): the page and the size of each, then entries. */
static bool judge_blocks(struct verify_moves *moves, uint64_t rva, uint64_t end_rva, unsigned entry_nbytes)
{
    const struct verify_image *image = &moves->judged->old_image;
    while (end_rva - rva >= BASERELOC_BLOCK_HEADER_NBYTES) {
        uint64_t page_rva = 0, nbytes = 0;
        verify_read_at(image, rva + BASERELOC_PAGE_RVA, 4, &page_rva);
        verify_read_at(image, rva + BASERELOC_BLOCK_SIZE, 4, &nbytes);
        if (nbytes < BASERELOC_BLOCK_HEADER_NBYTES || nbytes > end_rva - rva)
            return not_read(moves, rva, "holds a block whose size does not fit");
        if (!judge_entries(moves, rva + BASERELOC_BLOCK_HEADER_NBYTES, rva + nbytes, page_rva, entry_nbytes))
            return false;
        rva += nbytes;
    }
    return true;
}

/* Functions that may stand in for others: RVAs of code, and blocks of the places that call them. The decision
 * tree behind them holds no addresses. */
static bool judge_overrides(struct verify_moves *moves, uint64_t rva, uint64_t end_rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t nbytes;
    if (end_rva - rva < 4 || !verify_read_at(image, rva, 4, &nbytes) || nbytes > end_rva - rva - 4)
        return not_read(moves, rva, "holds function overrides whose size does not fit");
    rva += 4;
    end_rva = rva + nbytes;
    while (end_rva - rva >= OVERRIDE_NBYTES) {
        uint64_t original_rva = 0, rvas_nbytes = 0, places_nbytes = 0, replacement_rva = 0;
        verify_read_at(image, rva, 4, &original_rva);
        verify_read_at(image, rva + OVERRIDE_RVA_SIZE, 4, &rvas_nbytes);
        verify_read_at(image, rva + OVERRIDE_PLACES_SIZE, 4, &places_nbytes);
        rva += OVERRIDE_NBYTES;
        if (rvas_nbytes + places_nbytes > end_rva - rva)
            return not_read(moves, rva, "holds a function override whose size does not fit");
        bool is_still = stays(moves, original_rva);
        for (uint64_t at = 0; is_still && at + 4 <= rvas_nbytes; at += 4) {
            moves->judged->verdict->step_count++;
            is_still = verify_read_at(image, rva + at, 4, &replacement_rva) && stays(moves, replacement_rva);
        }
        if (!is_still)
            return not_read(moves, rva, "names a function that moved");
        rva += rvas_nbytes;
        if (!judge_blocks(moves, rva, rva + places_nbytes, ENTRY_NBYTES))
            return false;
        rva += places_nbytes;
    }
    return true;
}

static bool judge_records(struct verify_moves *moves, uint64_t rva, uint64_t end_rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned header_nbytes = image->is_64 ? RECORD_HEADER_NBYTES_64 : RECORD_HEADER_NBYTES_32;
    while (end_rva - rva >= header_nbytes) {
        uint64_t symbol = 0, nbytes = 0;
        verify_read_at(image, rva, header_nbytes - 4, &symbol);
        verify_read_at(image, rva + header_nbytes - 4, 4, &nbytes);
        rva += header_nbytes;
        if (nbytes > end_rva - rva)
            return not_read(moves, rva, "holds a record whose size does not fit");
        if (symbol == DVRT_SYMBOL_FUNCTION_OVERRIDE) {
            if (!judge_overrides(moves, rva, rva + nbytes))
                return false;
            rva += nbytes;
            continue;
        }
        if (symbol != DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER &&
            symbol != DVRT_SYMBOL_INDIRECT_CONTROL_TRANSFER && symbol != DVRT_SYMBOL_SWITCH_BRANCH)
            return not_read(moves, rva, "has a symbol that is not read here");
        if (!judge_blocks(moves, rva, rva + nbytes,
                          symbol == DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER ? SLOT_ENTRY_NBYTES : ENTRY_NBYTES))
            return false;
        rva += nbytes;
    }
    return true;
}

/* Slots are counted from the begin of the directory: number n is the same slot when all of them went one way,
 * and none is when there was no directory. */
static bool counts_same_slots(const struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image, *b = &moves->judged->new_image;
    struct verify_directory none = {0, 0};
    struct verify_directory before = a->directory_count > DIR_IAT ? a->directories[DIR_IAT] : none;
    struct verify_directory now = b->directory_count > DIR_IAT ? b->directories[DIR_IAT] : none;
    uint64_t end_rva = (uint64_t)before.rva + before.nbytes;
    if (before.rva == 0)
        return now.rva == 0;
    const struct verify_piece *end = moves->map.pieces + moves->map.count;
    const struct verify_piece *piece = verify_piece_at(&moves->map, before.rva);
    if (!piece || (int64_t)before.rva + piece->delta != (int64_t)now.rva)
        return false;
    for (; piece->end_rva < end_rva; piece++)
        if (piece + 1 == end || piece[1].rva != piece->end_rva || piece[1].delta != piece->delta)
            return false;
    return true;
}

/* The section of the new image in which the table lies now, and its number from 1; 0: none. */
static uint32_t number_of_section(const struct verify_image *image, int64_t rva, int64_t *begin_rva)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        *begin_rva = section->rva;
        if (rva >= (int64_t)section->rva && rva - (int64_t)section->rva < (int64_t)section->memory_nbytes)
            return i + 1;
    }
    return 0;
}

bool verify_inventory_dvrt(struct verify_moves *moves, uint64_t config_rva, uint64_t offset, uint64_t number)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint64_t version, nbytes;
    if (number < 1 || number > image->section_count)
        return not_read(moves, config_rva, "lies in no section");
    uint64_t rva = image->sections[number - 1].rva + offset;
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    if (!piece || !verify_read_at(image, rva + DVRT_VERSION, 4, &version) || version != 1 ||
        !verify_read_at(image, rva + DVRT_SIZE, 4, &nbytes) ||
        !range_fits(piece->end_rva - rva, DVRT_HEADER_NBYTES, nbytes))
        return not_read(moves, rva, "cannot be read");
    if (moves->map.moves_code || moves->repairs.copy_count != 0)
        return not_read(moves, rva, "names places in code, which moved");
    if (!counts_same_slots(moves))
        return not_read(moves, rva, "counts slots from a directory that begins elsewhere or fell apart");
    int64_t begin_rva, new_rva = (int64_t)rva + piece->delta;
    uint32_t new_number = number_of_section(&moves->judged->new_image, new_rva, &begin_rva);
    if (new_number == 0)
        return not_read(moves, rva, "would lie in no section");
    unsigned offset_at = image->is_64 ? LC_DVRT_OFFSET_64 : LC_DVRT_OFFSET_32;
    unsigned section_at = image->is_64 ? LC_DVRT_SECTION_64 : LC_DVRT_SECTION_32;
    return judge_records(moves, rva + DVRT_HEADER_NBYTES, rva + DVRT_HEADER_NBYTES + nbytes) &&
           verify_moves_inert(moves, rva, DVRT_HEADER_NBYTES + nbytes, "dynamic relocations") &&
           verify_moves_field(moves, config_rva + offset_at, 4, (uint64_t)(new_rva - begin_rva),
                              "DynamicValueRelocTableOffset") &&
           verify_moves_field(moves, config_rva + section_at, 2, new_number, "DynamicValueRelocTableSection");
}
