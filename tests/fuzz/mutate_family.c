/* mutate_family.c - the tables of one family of references, record by record.
 * Takes: a shape with its headers, and a family.  Gives: its tables, and their fields.
 * Must not: refuse, or read more than a few hundred records: inputs are small. What a table looks like is
 * written here apart from tool/refs, like all of the mutator. */
#include "mutate.h"

enum { MOST_FAMILY_RECORDS = 200, MOST_BLOCKS = 32, MOST_LEVELS = 4 };

/* A table of records whose fields have these widths, as far as it lies in the file. */
static void add_table(struct shape *shape, uint64_t rva, uint32_t record_count, const char *widths)
{
    uint32_t foff, record_nbytes = 0;
    for (const char *width = widths; *width; width++)
        record_nbytes += (uint32_t)(*width - '0');
    if (record_count > MOST_FAMILY_RECORDS)
        record_count = MOST_FAMILY_RECORDS;
    if (rva == 0 || !shape_foff(shape, rva, &foff))
        return;
    while (record_count != 0 && !range_fits(shape->file.nbytes, foff, (uint64_t)record_count * record_nbytes))
        record_count--;
    if (record_count == 0)
        return;
    for (uint32_t i = 0; i < record_count; i++)
        shape_add_fields(shape, foff + (uint64_t)i * record_nbytes, widths);
    if (shape->table_count < MOST_TABLES)
        shape->tables[shape->table_count++] =
            (struct table){foff, (uint32_t)rva, record_nbytes, record_count};
}

static uint32_t word_at(const struct shape *shape, uint64_t rva)
{
    uint32_t foff, value = 0;
    if (shape_foff(shape, rva, &foff))
        (void)span_u32(shape->file, foff, &value);
    return value;
}

static uint64_t pointer_at(const struct shape *shape, uint64_t rva)
{
    uint32_t foff;
    uint64_t value = 0;
    if (!shape->is_64)
        return word_at(shape, rva);
    if (shape_foff(shape, rva, &foff))
        (void)span_u64(shape->file, foff, &value);
    return value;
}

/* What an absolute address in the file points at; 0 when it is none. */
static uint64_t follow_pointer(const struct shape *shape, uint64_t rva)
{
    uint64_t va = pointer_at(shape, rva);
    return va >= shape->image_base_va ? va - shape->image_base_va : 0;
}

static const char *pointer_widths(const struct shape *shape)
{
    return shape->is_64 ? "8" : "4";
}

/* The directory entry itself, then the table. */
static uint32_t add_directory(struct shape *shape, unsigned number, uint32_t *nbytes)
{
    shape_add_fields(shape, shape->directories_foff + (uint64_t)number * DIRECTORY_ENTRY_NBYTES, "44");
    *nbytes = shape_directory_word(shape, number, DIRECTORY_SIZE);
    return shape_directory_word(shape, number, DIRECTORY_RVA);
}

/* Page, size, entries. */
static void add_blocks(struct shape *shape, uint64_t rva, uint64_t nbytes, const char *entry_widths)
{
    for (unsigned i = 0; i < MOST_BLOCKS && nbytes >= 8; i++) {
        uint32_t block_nbytes = word_at(shape, rva + 4);
        add_table(shape, rva, 1, "44");
        if (block_nbytes < 8 || block_nbytes > nbytes)
            return;
        add_table(shape, rva + 8, (block_nbytes - 8) / (uint32_t)(*entry_widths - '0'), entry_widths);
        rva += block_nbytes;
        nbytes -= block_nbytes;
    }
}

static void add_dynamic_relocations(struct shape *shape)
{
    uint32_t nbytes, config_rva = add_directory(shape, DIR_LOAD_CONFIG, &nbytes);
    uint64_t rva = follow_pointer(shape, config_rva + (shape->is_64 ? 0xC0U : 0x78U));
    uint32_t symbol_nbytes = shape->is_64 ? 8 : 4, left_nbytes = word_at(shape, rva + 4);
    add_table(shape, config_rva + (shape->is_64 ? 0xE0U : 0x88U), 1, "42"); /* offset and section */
    if (rva == 0)
        return;
    add_table(shape, rva, 1, "44");
    rva += 8;
    for (unsigned i = 0; i < MOST_BLOCKS && left_nbytes >= symbol_nbytes + 4; i++) {
        uint64_t symbol = pointer_at(shape, rva);
        uint32_t record_nbytes = symbol_nbytes + 4 + word_at(shape, rva + symbol_nbytes);
        add_table(shape, rva, 1, shape->is_64 ? "84" : "44");
        if (record_nbytes < symbol_nbytes + 4 || record_nbytes > left_nbytes)
            return;
        if (symbol == 7) /* function overrides: header, record, and what follows as words */
            add_table(shape, rva + symbol_nbytes + 4, (record_nbytes - symbol_nbytes - 4) / 4, "4");
        else
            add_blocks(shape, rva + symbol_nbytes + 4, record_nbytes - symbol_nbytes - 4,
                       symbol == 3 || symbol == 8 ? "4" : "2");
        rva += record_nbytes;
        left_nbytes -= record_nbytes;
    }
}

static void add_relocations(struct shape *shape)
{
    uint32_t nbytes, rva = add_directory(shape, DIR_BASERELOC, &nbytes);
    add_blocks(shape, rva, nbytes, "2");
    add_dynamic_relocations(shape);
}

/* Up to a zero slot. */
static uint32_t count_slots(const struct shape *shape, uint64_t rva)
{
    uint32_t count = 0;
    while (count < MOST_FAMILY_RECORDS &&
           pointer_at(shape, rva + (uint64_t)count * (shape->is_64 ? 8 : 4)) != 0)
        count++;
    return count + 1;
}

static void add_modules(struct shape *shape)
{
    uint32_t nbytes, rva = add_directory(shape, DIR_IMPORT, &nbytes);
    add_table(shape, rva, nbytes / 20, "44444");
    for (unsigned i = 0; i < 4 && word_at(shape, rva + 20 * i + 12) != 0; i++) {
        for (unsigned field = 0; field <= 16; field += 16) { /* lookup table and IAT */
            uint32_t slots_rva = word_at(shape, rva + 20 * i + field);
            add_table(shape, slots_rva, count_slots(shape, slots_rva), pointer_widths(shape));
        }
    }
    rva = add_directory(shape, DIR_EXPORT, &nbytes);
    add_table(shape, rva, 1, "44224444444");
    add_table(shape, word_at(shape, rva + 28), word_at(shape, rva + 20), "4");
    add_table(shape, word_at(shape, rva + 32), word_at(shape, rva + 24), "4");
    add_table(shape, word_at(shape, rva + 36), word_at(shape, rva + 24), "2");
    rva = add_directory(shape, DIR_DELAY_IMPORT, &nbytes);
    add_table(shape, rva, nbytes / 32, "44444444");
    for (unsigned field = 12; field <= 24; field += 4) { /* IAT, names, and their copies */
        uint32_t slots_rva = word_at(shape, rva + field);
        add_table(shape, slots_rva, count_slots(shape, slots_rva), pointer_widths(shape));
    }
    rva = add_directory(shape, DIR_BOUND_IMPORT, &nbytes);
    add_table(shape, rva, nbytes / 8 < 8 ? nbytes / 8 : 8, "422");
    (void)add_directory(shape, DIR_IAT, &nbytes);
}

static void add_unwind(struct shape *shape)
{
    bool is_x64 = shape->machine == MACHINE_AMD64;
    uint32_t nbytes, rva = add_directory(shape, DIR_EXCEPTION, &nbytes);
    uint32_t record_nbytes = is_x64 ? 12 : 8;
    add_table(shape, rva, nbytes / record_nbytes, is_x64 ? "444" : "44");
    for (uint32_t i = 0; i < nbytes / record_nbytes && i < 12; i++) {
        uint64_t info = word_at(shape, rva + (uint64_t)record_nbytes * i + record_nbytes - 4) & ~UINT32_C(3);
        add_table(shape, info, 4, "1111"); /* header and codes */
        uint64_t tail = info + 4;
        if (is_x64)
            tail += ((uint64_t)(word_at(shape, info) >> 16 & 0xFF) + 1) / 2 * 4;
        add_table(shape, tail, 12, "4"); /* handler or chained record, and the handler's data */
        for (unsigned level = 0; level < MOST_LEVELS; level++) /* what the first word of the data leads to */
            add_table(shape, word_at(shape, tail + 4 + 4 * (uint64_t)level), 10,
                      level % 2 == 0 ? "4" : "1111");
    }
}

static void add_load_config(struct shape *shape)
{
    static const uint16_t tables_32[] = {0x40, 0x50, 0x68, 0x70, 0xA4},
                          tables_64[] = {0x60, 0x80, 0xA0, 0xB0, 0x108};
    uint32_t nbytes, rva = add_directory(shape, DIR_LOAD_CONFIG, &nbytes);
    add_table(shape, rva, 1, "442244444");
    add_table(shape, rva + (shape->is_64 ? 0x90U : 0x58U), 1, "4"); /* GuardFlags */
    add_table(shape, rva + 0x18U, nbytes / (shape->is_64 ? 8 : 4), pointer_widths(shape));
    for (unsigned i = 0; i < 5; i++) {
        uint32_t at = shape->is_64 ? tables_64[i] : tables_32[i];
        uint64_t count = pointer_at(shape, rva + at + (shape->is_64 ? 8 : 4));
        add_table(shape, follow_pointer(shape, rva + at),
                  count < MOST_FAMILY_RECORDS ? (uint32_t)count : MOST_FAMILY_RECORDS,
                  i == 0 || word_at(shape, rva + (shape->is_64 ? 0x90U : 0x58U)) >> 28 == 0 ? "4" : "41");
    }
    uint64_t metadata = follow_pointer(shape, rva + (shape->is_64 ? 0x100U : 0xA0U));
    add_table(shape, metadata, 6, "4");
    if (metadata != 0) {
        add_table(shape, word_at(shape, metadata + 8), word_at(shape, metadata + 12) / 4, "4");
        add_table(shape, word_at(shape, metadata + 16), word_at(shape, metadata + 20) / 8, "44");
    }
    uint64_t prefixes = follow_pointer(shape, rva + (shape->is_64 ? 0x28U : 0x20U));
    add_table(shape, prefixes, count_slots(shape, prefixes), pointer_widths(shape));
    rva = add_directory(shape, DIR_TLS, &nbytes);
    add_table(shape, rva, 4, pointer_widths(shape));
    uint64_t callbacks = follow_pointer(shape, rva + (shape->is_64 ? 24U : 12U));
    add_table(shape, callbacks, count_slots(shape, callbacks), pointer_widths(shape));
}

/* The tree's tables, to a few levels; all of its bytes are words besides. */
static void add_resource_table(struct shape *shape, uint32_t rva, uint32_t offset, unsigned level)
{
    uint32_t counts = word_at(shape, (uint64_t)rva + offset + 12),
             entry_count = (counts & 0xFF) + (counts >> 16 & 0xFF);
    add_table(shape, (uint64_t)rva + offset, 1, "44422");
    add_table(shape, (uint64_t)rva + offset + 16, entry_count, "44");
    for (uint32_t i = 0; i < entry_count && i < 4; i++) {
        uint32_t child = word_at(shape, (uint64_t)rva + offset + 16 + 8 * (uint64_t)i + 4);
        if (child >> 31 == 0)
            add_table(shape, (uint64_t)rva + child, 1, "4444");
        else if (level < MOST_LEVELS)
            add_resource_table(shape, rva, child & 0x7FFFFFFF, level + 1);
    }
}

/* File offsets are taken for RVAs where they lie below the headers' end only: a table without an RVA gives
 * fields, not records. */
static void add_resources(struct shape *shape)
{
    uint32_t nbytes, rva = add_directory(shape, DIR_RESOURCE, &nbytes);
    if (rva != 0)
        add_resource_table(shape, rva, 0, 0);
    rva = add_directory(shape, DIR_DEBUG, &nbytes);
    add_table(shape, rva, nbytes / 28, "44224444");
    for (uint32_t i = 0; i < nbytes / 28 && i < 12; i++)
        add_table(shape, word_at(shape, rva + 28 * i + 20), word_at(shape, rva + 28 * i + 16) / 4, "4");
    rva = add_directory(shape, DIR_CLR, &nbytes);
    add_table(shape, rva, 1, "4224444444444444444");
    uint32_t symbols_foff = 0, symbol_count = 0, certificate_foff;
    (void)span_u32(shape->file, shape->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE, &symbols_foff);
    (void)span_u32(shape->file, shape->coff_foff + COFF_NUMBER_OF_SYMBOLS, &symbol_count);
    shape_add_fields(shape, shape->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE, "44");
    for (uint32_t i = 0; symbols_foff != 0 && i < symbol_count && i < MOST_BLOCKS; i++)
        shape_add_fields(shape, symbols_foff + (uint64_t)i * COFF_SYMBOL_NBYTES, "4442211");
    certificate_foff = add_directory(shape, DIR_SECURITY, &nbytes);
    if (certificate_foff != 0)
        shape_add_fields(shape, certificate_foff, "422");
    for (uint32_t i = 0; i < shape->section_count && i < MOST_BLOCKS; i++) /* object relocations, lines */
        shape_add_fields(shape,
                         shape->section_table_foff + (uint64_t)i * SECTION_HEADER_NBYTES +
                             SECTION_POINTER_TO_RELOCATIONS,
                         "4422");
}

void shape_add_family(struct shape *shape, unsigned family)
{
    if (family == FAMILY_RELOCATIONS)
        add_relocations(shape);
    else if (family == FAMILY_MODULES)
        add_modules(shape);
    else if (family == FAMILY_UNWIND)
        add_unwind(shape);
    else if (family == FAMILY_LOAD_CONFIG)
        add_load_config(shape);
    else if (family == FAMILY_RESOURCES)
        add_resources(shape);
}
