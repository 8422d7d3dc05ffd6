/* refs_dvrt.c - the dynamic value relocation table: places in code that the kernel rewrites at load.
 * Takes: the load configuration's pointer, or section number and offset.  Gives: SOURCE_DVRT: pages and the
 * entries in them. IAT indexes in entries count slots from directory 12; they are no addresses, but they hold
 * only while the order of the slots does. What is not read, with its reason, becomes a problem.
 * Must not: look at the code. Source: public winnt.h (IMAGE_DYNAMIC_RELOCATION_TABLE and below). */
#include "refs/refs_load_config.h"
#include "refs/refs_sources.h"

#define DVRT_SYMBOL_USER_SHARED_DATA_32 UINT64_C(0x7FFE0000)
#define DVRT_SYMBOL_USER_SHARED_DATA_64 UINT64_C(0xFFFFF78000000000)

enum {
    OVERRIDE_HEADER_NBYTES = 4,
    OVERRIDE_ORIGINAL_RVA = 0,
    OVERRIDE_RVA_SIZE = 8,
    OVERRIDE_BASERELOC_SIZE = 12,
    OVERRIDE_RECORD_NBYTES = 16
};

/* How the entries of a block are stored. */
struct entry_form {
    unsigned nbytes;
    enum ref_encoding encoding;
};

struct dvrt_record {
    uint64_t symbol;
    struct window fixups;
};

static bool table_problem(struct refset *refs, const struct window *where, const char *what)
{
    return refset_problem(refs, SOURCE_DVRT, where->rva, where->foff,
                          "The dynamic relocations at RVA 0x%X %s.", where->rva, what);
}

static bool add_field(struct refset *refs, const struct window *window, uint64_t offset, uint64_t symbol,
                      struct entry_form form, uint32_t base_rva, uint8_t flags)
{
    struct ref_spec spec = {.source = SOURCE_DVRT,
                            .encoding = form.encoding,
                            .width_nbytes = form.nbytes,
                            .base_rva = base_rva,
                            .flags = flags,
                            .detail = (uint16_t)symbol};
    return window_add(refs, window, offset, spec);
}

static bool collect_block(struct refset *refs, const struct window *block, uint64_t symbol,
                          struct entry_form form)
{
    uint32_t page_rva = load_u32(block->bytes.bytes + BASERELOC_PAGE_RVA);
    struct entry_form page_form = {4, REF_RVA};
    if (!add_field(refs, block, BASERELOC_PAGE_RVA, symbol, page_form, 0, 0))
        return false;
    if (form.nbytes == 0)
        return true;
    uint64_t first = BASERELOC_BLOCK_HEADER_NBYTES;
    for (uint64_t at = first; range_fits(block->bytes.nbytes, at, form.nbytes); at += form.nbytes) {
        bool is_padding = at != first && load_width(block->bytes.bytes + at, form.nbytes) == 0;
        if (!is_padding && !add_field(refs, block, at, symbol, form, page_rva, 0))
            return false;
    }
    return true;
}

/* Blocks as in the base relocation directory: page, size, entries. */
static bool collect_blocks(struct refset *refs, const struct window *blocks, uint64_t symbol,
                           struct entry_form form)
{
    uint64_t at = 0;
    while (range_fits(blocks->bytes.nbytes, at, BASERELOC_BLOCK_HEADER_NBYTES)) {
        uint32_t nbytes = load_u32(blocks->bytes.bytes + at + BASERELOC_BLOCK_SIZE);
        if (nbytes < BASERELOC_BLOCK_HEADER_NBYTES || !range_fits(blocks->bytes.nbytes, at, nbytes))
            return table_problem(refs, blocks, "hold a block whose size does not fit");
        struct window block = window_part(blocks, at, nbytes);
        if (!collect_block(refs, &block, symbol, form))
            return false;
        at += nbytes;
    }
    return true;
}

/* Overrides: the function, its replacements, and the places that call it. The decision tree behind them
 * holds no addresses. */
static bool collect_function_overrides(struct refset *refs, const struct window *fixups, uint64_t symbol)
{
    uint32_t overrides_nbytes;
    if (!span_u32(fixups->bytes, 0, &overrides_nbytes) ||
        !range_fits(fixups->bytes.nbytes, OVERRIDE_HEADER_NBYTES, overrides_nbytes))
        return table_problem(refs, fixups, "hold function overrides whose size does not fit");
    struct window overrides = window_part(fixups, OVERRIDE_HEADER_NBYTES, overrides_nbytes);
    struct entry_form rva_form = {4, REF_RVA}, place_form = {2, REF_PAGE_12};
    uint64_t at = 0;
    while (range_fits(overrides.bytes.nbytes, at, OVERRIDE_RECORD_NBYTES)) {
        const uint8_t *record = overrides.bytes.bytes + at;
        uint64_t rvas_at = at + OVERRIDE_RECORD_NBYTES;
        uint64_t rvas_nbytes = load_u32(record + OVERRIDE_RVA_SIZE) & ~UINT32_C(3);
        uint64_t places_nbytes = load_u32(record + OVERRIDE_BASERELOC_SIZE);
        if (!range_fits(overrides.bytes.nbytes, rvas_at, rvas_nbytes + places_nbytes))
            return table_problem(refs, fixups, "hold a function override whose size does not fit");
        if (!add_field(refs, &overrides, at + OVERRIDE_ORIGINAL_RVA, symbol, rva_form, 0,
                       REF_FLAG_CODE_TARGET))
            return false;
        for (uint64_t i = 0; i < rvas_nbytes; i += 4)
            if (!add_field(refs, &overrides, rvas_at + i, symbol, rva_form, 0, REF_FLAG_CODE_TARGET))
                return false;
        struct window places = window_part(&overrides, rvas_at + rvas_nbytes, places_nbytes);
        if (!collect_blocks(refs, &places, symbol, place_form))
            return false;
        at = rvas_at + rvas_nbytes + places_nbytes;
    }
    return true;
}

static bool collect_record(struct refset *refs, const struct dvrt_record *record)
{
    static const struct entry_form no_entries = {0, REF_RVA}, halfwords = {2, REF_PAGE_12},
                                   words = {4, REF_PAGE_12}, arm64_words = {4, REF_PAGE_10X4};
    switch (record->symbol) {
    case DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER:
        return collect_blocks(refs, &record->fixups, record->symbol, words);
    case DVRT_SYMBOL_INDIRECT_CONTROL_TRANSFER:
    case DVRT_SYMBOL_SWITCH_BRANCH:
    case DVRT_SYMBOL_USER_SHARED_DATA_32:
    case DVRT_SYMBOL_USER_SHARED_DATA_64:
        return collect_blocks(refs, &record->fixups, record->symbol, halfwords);
    case DVRT_SYMBOL_ARM64_KERNEL_IMPORT_CALL:
        return collect_blocks(refs, &record->fixups, record->symbol, arm64_words);
    case DVRT_SYMBOL_FUNCTION_OVERRIDE:
        return collect_function_overrides(refs, &record->fixups, record->symbol);
    case DVRT_SYMBOL_ARM64X:
        return collect_blocks(refs, &record->fixups, record->symbol, no_entries) &&
               table_problem(refs, &record->fixups,
                             "turn the image into one for another machine; their entries are not read");
    case DVRT_SYMBOL_RF_PROLOGUE:
    case DVRT_SYMBOL_RF_EPILOGUE:
        return table_problem(refs, &record->fixups,
                             "belong to return flow guard, which no Windows uses any more, and are not read");
    default:
        return refset_limit(refs, SOURCE_DVRT, record->fixups.rva, record->fixups.foff,
                            "The dynamic relocations at RVA 0x%X are of the unknown symbol 0x%llX and are "
                            "not read.",
                            record->fixups.rva, (unsigned long long)record->symbol);
    }
}

/* Version 1: symbol (as wide as a pointer), size, fixups. */
static bool collect_records(struct refset *refs, const struct window *table)
{
    unsigned symbol_nbytes = image_pointer_nbytes(refs->image);
    uint64_t header_nbytes = symbol_nbytes + 4;
    uint64_t at = 0;
    while (range_fits(table->bytes.nbytes, at, header_nbytes)) {
        uint32_t fixups_nbytes = load_u32(table->bytes.bytes + at + symbol_nbytes);
        if (!range_fits(table->bytes.nbytes, at + header_nbytes, fixups_nbytes))
            return table_problem(refs, table, "hold a record whose size does not fit");
        struct dvrt_record record = {load_width(table->bytes.bytes + at, symbol_nbytes),
                                     window_part(table, at + header_nbytes, fixups_nbytes)};
        if (!collect_record(refs, &record))
            return false;
        at += header_nbytes + fixups_nbytes;
    }
    return true;
}

/* Where the table begins: its address, or its offset in a section. 0 when there is none. */
static uint32_t table_rva(const struct image *image, const struct window *config)
{
    struct lc_field pointer = LC_FIELD(LC_DYNAMIC_VALUE_RELOC_TABLE);
    struct lc_field offset_field = LC_FIELD(LC_DVRT_OFFSET), section_field = LC_FIELD(LC_DVRT_SECTION);
    uint32_t rva = load_config_pointer(image, config, pointer);
    if (rva != 0)
        return rva;
    uint64_t offset = load_config_value(image, config, offset_field, 4);
    uint64_t number = load_config_value(image, config, section_field, 2);
    if (number < 1 || number > image->section_count)
        return 0;
    uint64_t sum = image->sections[number - 1].rva + offset;
    return sum <= UINT32_MAX ? (uint32_t)sum : 0;
}

bool refs_collect_dvrt(struct refset *refs)
{
    struct window config, table;
    const char *problem;
    if (!load_config_open(refs->image, &config, &problem))
        return !problem || refset_problem(refs, SOURCE_DVRT, NO_RVA, NO_FILE_OFFSET, "%s", problem);
    uint32_t rva = table_rva(refs->image, &config);
    if (rva == 0)
        return true;
    if (!window_from_rva(refs->image, rva, &table) || table.bytes.nbytes < DVRT_HEADER_NBYTES)
        return refset_limit(refs, SOURCE_DVRT, rva, NO_FILE_OFFSET,
                            "The dynamic relocations at RVA 0x%X have no bytes in the file.", rva);
    uint32_t version = load_u32(table.bytes.bytes + DVRT_VERSION);
    uint32_t nbytes = load_u32(table.bytes.bytes + DVRT_SIZE);
    if (!range_fits(table.bytes.nbytes, DVRT_HEADER_NBYTES, nbytes))
        return table_problem(refs, &table, "run past the end of their section");
    if (!refset_extent(refs, rva, DVRT_HEADER_NBYTES + nbytes, EXTENT_DVRT, SOURCE_DVRT))
        return false;
    table = window_part(&table, DVRT_HEADER_NBYTES, nbytes);
    return version == 1 ? collect_records(refs, &table)
                        : table_problem(refs, &table, "are of a version that is not read");
}
