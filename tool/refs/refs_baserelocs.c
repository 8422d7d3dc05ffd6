/* refs_baserelocs.c - base relocations: the entries, and the values stored where they apply.
 * Takes: directory 5.  Gives: SOURCE_BASERELOCS (each block's page and each entry), SOURCE_RELOCATED (the
 * absolute address at the place, as wide as the type says), and where they apply.
 * Entries of type ABSOLUTE are padding and name no place. Types that are not plain addresses (IA64, ARM and
 * MIPS instructions, halves) are entries without a value, with one problem for each type.
 * Must not: require order; blocks are read one after the other as the loader does.
 * Source: PE format specification, ".reloc". */
#include "refs/refs_sources.h"

enum { RELOC_TYPE_COUNT = 16, HALF_NBYTES = 2 /* what the smallest type changes */ };

struct reloc_walk {
    struct window table;
    bool adds_entries, adds_values;
    uint32_t page_rva;
    uint32_t previous_page_rva;
    bool has_previous, is_disorder_told;
    struct window page; /* file-backed bytes from page_rva on; may be empty */
    uint32_t unread_counts[RELOC_TYPE_COUNT];
    uint32_t first_unread_rva[RELOC_TYPE_COUNT];
};

/* Bytes of the address at the place; 0 for types that are read in part. */
static unsigned type_width_nbytes(unsigned type)
{
    switch (type) {
    case BASERELOC_HIGHLOW:
        return 4;
    case BASERELOC_DIR64:
        return 8;
    default:
        return 0;
    }
}

/* Types that the specification does not give to this machine: every loader refuses the image. */
static bool is_unknown(const struct image *image, unsigned type)
{
    switch (type) {
    case BASERELOC_ARM_MOV32:
    case BASERELOC_THUMB_MOV32:
        return image->machine != MACHINE_ARM && image->machine != MACHINE_THUMB &&
               image->machine != MACHINE_ARMNT;
    case BASERELOC_IA64_IMM64:
        return image->machine != MACHINE_IA64;
    default:
        return type == 6 || type == 8 || type > BASERELOC_DIR64;
    }
}

static const char *type_words(const struct image *image, unsigned type)
{
    if (is_unknown(image, type))
        return "that no loader of this machine knows";
    switch (type) {
    case BASERELOC_HIGH:
        return "HIGH (the upper half of an address)";
    case BASERELOC_LOW:
        return "LOW (the lower half of an address)";
    case BASERELOC_HIGHADJ:
        return "HIGHADJ (the upper half of an address, adjusted)";
    case BASERELOC_ARM_MOV32:
        return "ARM_MOV32 (an address inside two ARM instructions)";
    case BASERELOC_THUMB_MOV32:
        return "THUMB_MOV32 (an address inside two Thumb instructions)";
    default:
        return "IA64_IMM64 (an address inside an instruction bundle)";
    }
}

/* The place's bytes: from the page's window, or, where the page reaches into another section, on its own. */
static bool place_window(const struct refset *refs, const struct reloc_walk *walk, uint32_t offset,
                         unsigned width_nbytes, struct window *place)
{
    if (range_fits(walk->page.bytes.nbytes, offset, width_nbytes)) {
        *place = window_part(&walk->page, offset, width_nbytes);
        return true;
    }
    uint64_t rva = (uint64_t)walk->page_rva + offset;
    return rva <= UINT32_MAX && window_at_rva(refs->image, (uint32_t)rva, width_nbytes, place);
}

uint64_t refset_relocation_in(const struct refset *refs, uint64_t foff, unsigned nbytes)
{
    unsigned before_nbytes = foff < 7 ? (unsigned)foff : 7;
    uint64_t at_foff = site_set_first(&refs->reloc_sites, foff - before_nbytes, before_nbytes + nbytes);
    while (at_foff < foff && foff - at_foff >= (site_set_has(&refs->wide_reloc_sites, at_foff) ? 8 : 4))
        at_foff = site_set_first(&refs->reloc_sites, at_foff + 1, (unsigned)(foff + nbytes - at_foff - 1));
    return at_foff;
}

static bool collect_value(struct refset *refs, struct reloc_walk *walk, unsigned type, uint32_t offset)
{
    unsigned width_nbytes = type_width_nbytes(type);
    uint32_t rva = walk->page_rva + offset;
    struct window place;
    bool has_place = place_window(refs, walk, offset, width_nbytes ? width_nbytes : HALF_NBYTES, &place);
    if (width_nbytes == 0) {
        if (walk->unread_counts[type]++ == 0)
            walk->first_unread_rva[type] = rva;
        if (has_place)
            return true;
    }
    if (!has_place)
        return refset_problem(refs, SOURCE_RELOCATED, rva, NO_FILE_OFFSET,
                              "The base relocation for RVA 0x%X names a place that has no bytes in the file.",
                              rva);
    if (refset_relocation_in(refs, place.foff, width_nbytes) != UINT64_MAX)
        return refset_problem(refs, SOURCE_BASERELOCS, rva, place.foff,
                              "Two base relocations change the same bytes at RVA 0x%X; the address there is "
                              "recorded once.",
                              rva);
    site_set_add(&refs->reloc_sites, place.foff);
    if (width_nbytes == 8)
        site_set_add(&refs->wide_reloc_sites, place.foff);
    if (!walk->adds_values)
        return true;
    struct ref_spec spec = {.source = SOURCE_RELOCATED,
                            .encoding = REF_VA,
                            .width_nbytes = width_nbytes,
                            .flags = REF_FLAG_RELOCATED,
                            .detail = (uint16_t)type};
    return refset_put(refs, place.foff, rva, load_width(place.bytes.bytes, width_nbytes), &spec);
}

static bool collect_entries(struct refset *refs, struct reloc_walk *walk, const struct window *block)
{
    uint64_t entry_count = (block->bytes.nbytes - BASERELOC_BLOCK_HEADER_NBYTES) / BASERELOC_ENTRY_NBYTES;
    for (uint64_t i = 0; i < entry_count; i++) {
        uint64_t entry_offset = BASERELOC_BLOCK_HEADER_NBYTES + i * BASERELOC_ENTRY_NBYTES;
        uint16_t entry = load_u16(block->bytes.bytes + entry_offset);
        unsigned type = entry >> 12;
        if (type == BASERELOC_ABSOLUTE)
            continue;
        struct ref_spec spec = {.source = SOURCE_BASERELOCS,
                                .encoding = REF_PAGE_12,
                                .width_nbytes = BASERELOC_ENTRY_NBYTES,
                                .base_rva = walk->page_rva,
                                .detail = (uint16_t)type};
        if (walk->adds_entries &&
            !refset_put(refs, block->foff + entry_offset, block->rva + (uint32_t)entry_offset, entry, &spec))
            return false;
        if (!collect_value(refs, walk, type, entry & 0xFFF))
            return false;
        if (type == BASERELOC_HIGHADJ)
            i++; /* the next entry is its lower half, not a place */
    }
    return true;
}

static bool begin_block(struct refset *refs, struct reloc_walk *walk, const struct window *block)
{
    walk->page_rva = load_u32(block->bytes.bytes + BASERELOC_PAGE_RVA);
    window_from_rva(refs->image, walk->page_rva, &walk->page);
    struct ref_spec spec = {
        .source = SOURCE_BASERELOCS, .encoding = REF_RVA, .width_nbytes = 4, .detail = DETAIL_BASERELOC_PAGE};
    if (walk->adds_entries && !window_add(refs, block, BASERELOC_PAGE_RVA, spec))
        return false;
    bool is_disorder = walk->has_previous && walk->page_rva < walk->previous_page_rva;
    walk->previous_page_rva = walk->page_rva;
    walk->has_previous = true;
    if (!is_disorder || walk->is_disorder_told)
        return true;
    walk->is_disorder_told = true;
    /* Only the kernel's check of a driver's table minds: firmware and other loaders apply one block after the
     * other, and tool chains of EFI leave them as they come (GenFw, iPXE). */
    return (refs->image->role == ROLE_KERNEL ? refset_problem : refset_limit)(
        refs, SOURCE_BASERELOCS, block->rva, block->foff,
        "The base relocation blocks are not in ascending order: the block for page 0x%X comes after one for "
        "a higher page.",
        walk->page_rva);
}

static bool collect_blocks(struct refset *refs, struct reloc_walk *walk)
{
    uint64_t offset = 0, table_nbytes = walk->table.bytes.nbytes;
    while (range_fits(table_nbytes, offset, BASERELOC_BLOCK_HEADER_NBYTES)) {
        uint32_t block_nbytes = load_u32(walk->table.bytes.bytes + offset + BASERELOC_BLOCK_SIZE);
        if (block_nbytes < BASERELOC_BLOCK_HEADER_NBYTES || !range_fits(table_nbytes, offset, block_nbytes)) {
            struct window rest = window_part(&walk->table, offset, table_nbytes - offset);
            if (span_is_filled(rest.bytes, 0)) /* up to the directory's rounded size */
                return refset_limit(refs, SOURCE_BASERELOCS, rest.rva, rest.foff,
                                    "The base relocation directory ends with zeros at RVA 0x%X.", rest.rva);
            return refset_problem(refs, SOURCE_BASERELOCS, rest.rva, rest.foff,
                                  "The base relocation block at RVA 0x%X gives its size as 0x%X, which does "
                                  "not fit the directory; reading stops there.",
                                  rest.rva, block_nbytes);
        }
        struct window block = window_part(&walk->table, offset, block_nbytes);
        if ((block_nbytes & 1) != 0 &&
            !refset_problem(refs, SOURCE_BASERELOCS, block.rva, block.foff,
                            "The base relocation block at RVA 0x%X has the odd size 0x%X.", block.rva,
                            block_nbytes))
            return false;
        if (!begin_block(refs, walk, &block) || !collect_entries(refs, walk, &block))
            return false;
        offset += block_nbytes;
    }
    if (offset != table_nbytes)
        return refset_limit(refs, SOURCE_BASERELOCS, walk->table.rva + (uint32_t)offset,
                            walk->table.foff + offset,
                            "The base relocation directory ends inside the header of a block at RVA 0x%X.",
                            walk->table.rva + (uint32_t)offset);
    return true;
}

static bool tell_unread_types(struct refset *refs, const struct reloc_walk *walk)
{
    static const char words[] =
        "%u base relocations are of type %s; the addresses at these places are not read.";
    for (unsigned type = 0; type < RELOC_TYPE_COUNT; type++) {
        if (walk->unread_counts[type] == 0)
            continue;
        bool is_told = (is_unknown(refs->image, type) ? refset_problem : refset_limit)(
            refs, SOURCE_RELOCATED, walk->first_unread_rva[type], NO_FILE_OFFSET, words,
            walk->unread_counts[type], type_words(refs->image, type));
        if (!is_told)
            return false;
    }
    return true;
}

bool refs_collect_baserelocs(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_BASERELOC);
    struct reloc_walk walk = {.adds_entries = refset_wants(refs, SOURCE_BASERELOCS),
                              .adds_values = refset_wants(refs, SOURCE_RELOCATED)};
    if (!directory)
        return true;
    if (!window_from_rva(refs->image, directory->rva, &walk.table))
        return refset_problem(refs, SOURCE_BASERELOCS, directory->rva, NO_FILE_OFFSET,
                              "The base relocation directory at RVA 0x%X has no bytes in the file.",
                              directory->rva);
    if (directory->nbytes <= walk.table.bytes.nbytes)
        walk.table.bytes.nbytes = directory->nbytes;
    else if (!refset_problem(refs, SOURCE_BASERELOCS, directory->rva, walk.table.foff,
                             "The base relocation directory has 0x%X bytes, but the file holds only 0x%zX.",
                             directory->nbytes, walk.table.bytes.nbytes))
        return false;
    size_t refs_per_entry = (size_t)walk.adds_entries + walk.adds_values;
    return refset_reserve(refs, walk.table.bytes.nbytes / BASERELOC_ENTRY_NBYTES * refs_per_entry) &&
           site_set_init(&refs->reloc_sites, refs->arena, refs->image->file.nbytes) &&
           site_set_init(&refs->wide_reloc_sites, refs->arena, refs->image->file.nbytes) &&
           refset_extent(refs, walk.table.rva, (uint32_t)walk.table.bytes.nbytes, EXTENT_BASERELOCS,
                         SOURCE_BASERELOCS) &&
           collect_blocks(refs, &walk) && tell_unread_types(refs, &walk);
}
