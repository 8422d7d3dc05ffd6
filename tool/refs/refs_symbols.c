/* refs_symbols.c - COFF symbols and line numbers left in an image (GNU tools leave thousands).
 * Takes: the symbol table that the COFF header names.  Gives: SOURCE_COFF_SYMBOLS. A symbol's value is an
 * offset in its section: REF_OFFSET with the section's RVA as base, and a section number. Absolute, debug and
 * undefined symbols are constants. Indexes of other symbols and of strings are no addresses.
 * Must not: read names. Source: PE format specification, "COFF Symbol Table". */
#include "refs/refs_sources.h"

enum {
    SYMBOL_CLASS_EXTERNAL = 2,
    SYMBOL_TYPE_FUNCTION = 0x20,
    FUNCTION_AUX_LINENUMBERS = 8, /* file offset of the function's line numbers */
    LINENUMBER_NUMBER = 4
};

static bool add_symbol(struct refset *refs, const struct window *table, uint64_t at)
{
    const uint8_t *symbol = table->bytes.bytes + at;
    uint16_t number = load_u16(symbol + COFF_SYMBOL_SECTION);
    bool is_in_section = number >= 1 && number <= refs->image->section_count;
    uint32_t value = load_u32(symbol + COFF_SYMBOL_VALUE);
    struct ref_spec section = {.source = SOURCE_COFF_SYMBOLS,
                               .encoding = REF_SECTION_INDEX,
                               .width_nbytes = 2,
                               .detail = symbol[COFF_SYMBOL_CLASS]};
    struct ref_spec offset = {.source = SOURCE_COFF_SYMBOLS,
                              .encoding = REF_OFFSET,
                              .width_nbytes = 4,
                              .base_rva = is_in_section ? refs->image->sections[number - 1].rva : 0,
                              .detail = symbol[COFF_SYMBOL_CLASS],
                              .is_constant = !is_in_section || value > INT32_MAX};
    return window_add(refs, table, at + COFF_SYMBOL_VALUE, offset) &&
           window_add(refs, table, at + COFF_SYMBOL_SECTION, section);
}

/* The auxiliary record of a function names its line numbers by file offset. */
static bool add_function_record(struct refset *refs, const struct window *table, uint64_t at)
{
    struct ref_spec spec = {.source = SOURCE_COFF_SYMBOLS,
                            .encoding = REF_FOFF,
                            .width_nbytes = 4,
                            .detail = SYMBOL_CLASS_EXTERNAL};
    return load_u32(table->bytes.bytes + at + FUNCTION_AUX_LINENUMBERS) == 0 ||
           window_add(refs, table, at + FUNCTION_AUX_LINENUMBERS, spec);
}

static bool collect_symbols(struct refset *refs)
{
    const struct image *image = refs->image;
    uint64_t table_nbytes = (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES;
    struct window table;
    if (image->symbol_count == 0 || !window_at_foff(image, image->symbol_table_foff, table_nbytes, &table))
        return true;
    if (!refset_reserve(refs, 2 * (size_t)image->symbol_count))
        return false;
    for (uint64_t at = 0; at < table_nbytes;) {
        const uint8_t *symbol = table.bytes.bytes + at;
        uint64_t next = at + (1 + (uint64_t)symbol[COFF_SYMBOL_AUX_COUNT]) * COFF_SYMBOL_NBYTES;
        if (!add_symbol(refs, &table, at))
            return false;
        bool is_function = symbol[COFF_SYMBOL_CLASS] == SYMBOL_CLASS_EXTERNAL &&
                           load_u16(symbol + COFF_SYMBOL_TYPE) == SYMBOL_TYPE_FUNCTION;
        if (is_function && symbol[COFF_SYMBOL_AUX_COUNT] != 0 && next <= table_nbytes &&
            !add_function_record(refs, &table, at + COFF_SYMBOL_NBYTES))
            return false;
        at = next;
    }
    return true;
}

/* A line number record holds an RVA, or, where its number is 0, the index of the function's symbol. */
static bool collect_linenumbers(struct refset *refs, const struct section *section)
{
    struct window table;
    uint64_t nbytes = (uint64_t)section->linenumber_count * COFF_LINENUMBER_NBYTES;
    if (section->linenumber_count == 0 || section->linenumbers_foff == 0)
        return true;
    if (!window_at_foff(refs->image, section->linenumbers_foff, nbytes, &table))
        return refset_problem(refs, SOURCE_COFF_SYMBOLS, NO_RVA, section->linenumbers_foff,
                              "The line numbers of section %s run past the end of the file.", section->name);
    struct ref_spec spec = {
        .source = SOURCE_COFF_SYMBOLS, .encoding = REF_RVA, .width_nbytes = 4, .detail = 0};
    for (uint64_t at = 0; at < nbytes; at += COFF_LINENUMBER_NBYTES) {
        if (window_claimed(refs, &table, at))
            return refset_problem(refs, SOURCE_COFF_SYMBOLS, NO_RVA, table.foff + at,
                                  "The line numbers of section %s run into another table.", section->name);
        if (load_u16(table.bytes.bytes + at + LINENUMBER_NUMBER) == 0)
            site_set_add(&refs->claimed, table.foff + at); /* read once, like the others */
        else if (!window_add(refs, &table, at, spec))
            return false;
    }
    return true;
}

bool refs_collect_coff_symbols(struct refset *refs)
{
    if (!collect_symbols(refs))
        return false;
    for (uint32_t i = 0; i < refs->image->section_count; i++) {
        const struct section *section = &refs->image->sections[i];
        if (!collect_linenumbers(refs, section))
            return false;
        if (section->relocation_count != 0 && section->relocations_foff != 0 &&
            !refset_limit(refs, SOURCE_COFF_SYMBOLS, NO_RVA, section->relocations_foff,
                          "Section %s carries %u relocations of its object file, which have no meaning in "
                          "an image and are not read.",
                          section->name, section->relocation_count))
            return false;
    }
    return true;
}
