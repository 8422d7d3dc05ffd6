/* code_tables.c - jump tables: reading the ones that tracking has found.
 * Takes: a table's address, form and, if the range check was seen, its number of cases.  Gives: extents,
 * references for the entries, roots for their targets.  Must not: believe a table whose entries do not lead
 * to places where code can be.
 * Tables often stand next to each other; each ends where another that is known begins.
 * Linear: a table is read once for each address, and all tables together have at most as many entries as
 * the file has bytes. */
#include "code/code_internal.h"

/* Without a range check a table ends at the first entry that leaves its function; a switch without one has
 * to stand in a function whose bounds are known, or it is cut at this many entries. */
enum { UNCHECKED_MAX_ENTRIES = 512 };

bool tables_want(struct code_reader *reader, const struct jump_table *table)
{
    uint32_t foff;
    if (!image_rva_to_foff(reader->image, table->rva, table->entry_nbytes, &foff) ||
        !site_set_add(&reader->table_starts, foff))
        return true;
    struct table_list *list = table->case_count != 0 ? &reader->tables : &reader->unchecked_tables;
    struct jump_table *grown =
        arena_grow(reader->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *grown);
    if (!grown)
        return false;
    list->items = grown;
    list->items[list->count++] = *table;
    return true;
}

static bool entry_target(const struct code_reader *reader, const struct jump_table *table,
                         const uint8_t *entry, uint32_t *target_rva)
{
    uint64_t stored = load_width(entry, table->entry_nbytes);
    switch (table->form) {
    case TABLE_RVA:
        *target_rva = (uint32_t)stored;
        return true;
    case TABLE_LABEL_DIFF:
        *target_rva = table->rva + (uint32_t)stored; /* signed; wraps as the processor's addition does */
        return true;
    default:
        return image_va_to_rva(reader->image, stored, target_rva);
    }
}

static bool is_code_place(const struct code_reader *reader, uint32_t rva)
{
    const struct reader_section *section = reader_section_at(reader, rva);
    if (!section)
        return false;
    enum byte_class byte_class = byte_class_at(section, rva - section->rva);
    return byte_class == BYTE_UNKNOWN || byte_class == BYTE_INSTRUCTION;
}

/* Bytes of a table that lie among code must be free, and, where addresses are relocated, so must each
 * entry of a table of addresses. */
static bool entry_is_free(const struct code_reader *reader, const struct jump_table *table, uint32_t rva)
{
    const struct reader_section *section = reader_section_at(reader, rva);
    if (!section)
        return true;
    uint32_t at = rva - section->rva;
    for (uint32_t i = 0; i < table->entry_nbytes; i++)
        if (!byte_is_unknown(section, at + i))
            return false;
    return table->form != TABLE_VA || !reader->has_relocations || mark_begins_field(section->marks[at]);
}

/* How many leading entries make sense, at most `limit`. */
static size_t count_entries(struct code_reader *reader, const struct jump_table *table, struct span bytes,
                            uint32_t foff, size_t limit)
{
    uint32_t until_rva;
    const struct bound *bound = reader_bound_at(reader, table->jump_rva, &until_rva);
    bool is_checked = table->case_count != 0;
    size_t count = 0;
    while (count < limit) {
        uint32_t target_rva, entry_rva = table->rva + (uint32_t)count * table->entry_nbytes;
        if (!entry_target(reader, table, bytes.bytes + count * table->entry_nbytes, &target_rva) ||
            !is_code_place(reader, target_rva) || !entry_is_free(reader, table, entry_rva))
            break;
        if (!is_checked && bound && (target_rva < bound->begin_rva || target_rva >= bound->end_rva))
            break;
        if (count != 0 && site_set_has(&reader->table_starts, (uint64_t)foff + count * table->entry_nbytes))
            break; /* the next table */
        count++;
    }
    return count;
}

/* Marks bytes among code as a jump table, as far as they are free. */
static void mark_table(struct code_reader *reader, uint32_t rva, uint32_t nbytes)
{
    struct reader_section *section = reader_section_at(reader, rva);
    for (uint32_t i = 0; section && i < nbytes && rva - section->rva + i < section->nbytes; i++) {
        uint32_t at = rva - section->rva + i;
        if (!byte_is_unknown(section, at))
            return;
        byte_set_class(section, at, BYTE_DATA);
        reader->map->class_counts[BYTE_DATA]++;
    }
}

static bool add_entries(struct code_reader *reader, const struct jump_table *table, struct span bytes,
                        uint32_t foff, size_t count)
{
    struct ref_spec spec = {.source = SOURCE_CODE,
                            .encoding = table->form == TABLE_RVA          ? REF_RVA
                                        : table->form == TABLE_LABEL_DIFF ? REF_LABEL_DIFF
                                                                          : REF_VA,
                            .width_nbytes = table->entry_nbytes,
                            .base_rva = table->form == TABLE_LABEL_DIFF ? table->rva : 0,
                            .flags = REF_FLAG_CODE_TARGET};
    /* Relocated entries are in the inventory already. */
    bool is_listed = table->form == TABLE_VA && reader->has_relocations;
    unsigned certainty = table->form == TABLE_VA ? CODE_REF_GUESSED_VA : CODE_REF_CERTAIN;
    for (size_t i = 0; i < count; i++) {
        uint32_t offset = (uint32_t)i * table->entry_nbytes, target_rva;
        site_set_add(&reader->table_sites, foff + offset);
        if (!is_listed && !operands_add_ref(reader, table->rva + offset, &spec, ACCESS_JUMP, certainty))
            return false;
        if (entry_target(reader, table, bytes.bytes + offset, &target_rva) &&
            !descent_push(reader, target_rva, NO_SOURCE,
                          table->trust == TRUST_FULL ? TRUST_FULL : TRUST_IF_CLEAN, 0))
            return false;
    }
    return true;
}

/* The table that maps cases to entries: as long as the range check says, else while its elements name
 * entries. Returns the number of elements; *highest is the highest entry named. */
static size_t read_index(const struct code_reader *reader, const struct jump_table *table, size_t entry_count,
                         size_t *highest)
{
    struct span bytes = image_run_at_rva(reader->image, table->index_rva);
    size_t limit = bytes.nbytes / table->index_nbytes, count = 0;
    if (table->case_count != 0 && table->case_count < limit)
        limit = table->case_count;
    if (limit > reader->table_entries_budget)
        limit = reader->table_entries_budget;
    for (*highest = 0; count < limit; count++) {
        size_t entry = (size_t)load_width(bytes.bytes + count * table->index_nbytes, table->index_nbytes);
        if (entry >= entry_count)
            break;
        if (entry > *highest)
            *highest = entry;
    }
    return count;
}

static bool read_table(struct code_reader *reader, const struct jump_table *table)
{
    uint32_t foff;
    struct span bytes = image_run_at_rva(reader->image, table->rva);
    if (!image_rva_to_foff(reader->image, table->rva, table->entry_nbytes, &foff))
        return true;
    size_t limit = bytes.nbytes / table->entry_nbytes;
    if (limit > reader->table_entries_budget)
        limit = reader->table_entries_budget;
    if (table->index_rva == 0 && table->case_count != 0) {
        if (table->case_count < limit)
            limit = table->case_count;
    } else if (limit > UNCHECKED_MAX_ENTRIES) {
        limit = UNCHECKED_MAX_ENTRIES;
    }
    size_t count = count_entries(reader, table, bytes, foff, limit);
    if (table->index_rva != 0 && count != 0) {
        size_t highest, index_count = read_index(reader, table, count, &highest);
        if (index_count == 0)
            return true;
        reader->table_entries_budget -= index_count;
        count = highest + 1;
        mark_table(reader, table->index_rva, (uint32_t)index_count * table->index_nbytes);
        if (!refset_extent(reader->refs, table->index_rva, (uint32_t)index_count * table->index_nbytes,
                           EXTENT_JUMP_TABLE, SOURCE_CODE))
            return false;
    }
    if (count == 0)
        return true;
    reader->table_entries_budget -=
        count < reader->table_entries_budget ? count : reader->table_entries_budget;
    mark_table(reader, table->rva, (uint32_t)count * table->entry_nbytes);
    return refset_extent(reader->refs, table->rva, (uint32_t)count * table->entry_nbytes, EXTENT_JUMP_TABLE,
                         SOURCE_CODE) &&
           add_entries(reader, table, bytes, foff, count);
}

bool tables_waiting(const struct code_reader *reader)
{
    return reader->tables.count != 0 || reader->unchecked_tables.count != 0;
}

/* Where a table without a known number of cases ends shows the better the more is decoded: these wait for the
 * others, and what each leads to is decoded before the next one is read. */
bool tables_read_waiting(struct code_reader *reader)
{
    struct table_list *list = reader->tables.count != 0 ? &reader->tables : &reader->unchecked_tables;
    struct jump_table table = list->items[--list->count];
    return read_table(reader, &table);
}
