/* refs_guard_tables.c - the tables that the load configuration names: control flow guard, SafeSEH, lock
 * prefixes, volatile metadata.
 * Takes: the load configuration.  Gives: SOURCE_GUARD_TABLES. A record of a guard table is an RVA and as many
 * bytes more as the top four bits of GuardFlags say; SafeSEH records are plain RVAs.
 * Must not: demand that tables are sorted. Source: "PE metadata" of the Windows security documentation,
 * public winnt.h. */
#include "refs/refs_load_config.h"
#include "refs/refs_sources.h"

struct guard_table {
    struct lc_field table, count;
    uint8_t flags;
    bool has_extra_bytes; /* records are as long as GuardFlags says; else 4 bytes */
    const char *name;
};

static const struct guard_table guard_tables[] = {
    {LC_FIELD(LC_GUARD_CF_FUNCTION_TABLE), LC_FIELD(LC_GUARD_CF_FUNCTION_COUNT), REF_FLAG_CODE_TARGET, true,
     "guard function"},
    {LC_FIELD(LC_GUARD_IAT_TABLE), LC_FIELD(LC_GUARD_IAT_COUNT), 0, true, "guard IAT"},
    {LC_FIELD(LC_GUARD_LONGJMP_TABLE), LC_FIELD(LC_GUARD_LONGJMP_COUNT), REF_FLAG_CODE_TARGET, true,
     "guard long jump"},
    {LC_FIELD(LC_GUARD_EH_CONTINUATION_TABLE), LC_FIELD(LC_GUARD_EH_CONTINUATION_COUNT), REF_FLAG_CODE_TARGET,
     true, "EH continuation"},
};

static const struct guard_table safe_seh_table = {LC_FIELD(LC_SE_HANDLER_TABLE),
                                                  LC_FIELD(LC_SE_HANDLER_COUNT), REF_FLAG_CODE_TARGET, false,
                                                  "SafeSEH handler"};

static bool collect_records(struct refset *refs, uint32_t rva, uint64_t count, unsigned stride_nbytes,
                            struct ref_spec spec, const char *name)
{
    struct window table;
    uint64_t room_count = 0;
    if (window_from_rva(refs->image, rva, &table))
        room_count = table.bytes.nbytes / stride_nbytes;
    if (count > room_count) {
        if (!refset_problem(refs, SOURCE_GUARD_TABLES, rva, NO_FILE_OFFSET,
                            "The %s table at RVA 0x%X has %llu entries, but the file holds only %llu of "
                            "them.",
                            name, rva, (unsigned long long)count, (unsigned long long)room_count))
            return false;
        count = room_count;
    }
    for (uint64_t i = 0; i < count; i++)
        if (!window_add(refs, &table, i * stride_nbytes, spec))
            return false;
    return refset_extent(refs, rva, (uint32_t)(count * stride_nbytes), EXTENT_GUARD_TABLE,
                         SOURCE_GUARD_TABLES);
}

/* The RVA of a table that the field names; 0 when it names none, or, with a problem, nothing in the image. */
static bool table_rva(struct refset *refs, const struct window *config, struct lc_field field,
                      const char *name, uint32_t *rva)
{
    uint64_t va = load_config_value(refs->image, config, field, image_pointer_nbytes(refs->image));
    *rva = load_config_pointer(refs->image, config, field);
    return va == 0 || *rva != 0 ||
           refset_problem(refs, SOURCE_GUARD_TABLES, NO_RVA,
                          config->foff + load_config_offset(refs->image, field),
                          "The %s table is said to be at address 0x%llX, which is not in the image.", name,
                          (unsigned long long)va);
}

static bool collect_guard_table(struct refset *refs, const struct window *config,
                                const struct guard_table *table)
{
    const struct image *image = refs->image;
    struct lc_field guard_flags_field = LC_FIELD(LC_GUARD_FLAGS);
    uint32_t guard_flags = (uint32_t)load_config_value(image, config, guard_flags_field, 4);
    unsigned stride_nbytes = 4 + (table->has_extra_bytes ? guard_flags >> GUARD_FLAG_STRIDE_SHIFT : 0);
    uint32_t rva;
    uint64_t count = load_config_value(image, config, table->count, image_pointer_nbytes(image));
    struct ref_spec spec = {.source = SOURCE_GUARD_TABLES,
                            .encoding = REF_RVA,
                            .width_nbytes = 4,
                            .flags = table->flags,
                            .detail = load_config_offset(image, table->table)};
    return count == 0 || (table_rva(refs, config, table->table, table->name, &rva) &&
                          (rva == 0 || collect_records(refs, rva, count, stride_nbytes, spec, table->name)));
}

/* A zero-terminated list of absolute addresses of LOCK prefixes. */
static bool collect_lock_prefixes(struct refset *refs, const struct window *config)
{
    const struct image *image = refs->image;
    unsigned width_nbytes = image_pointer_nbytes(image);
    struct lc_field field = LC_FIELD(LC_LOCK_PREFIX_TABLE);
    uint32_t rva;
    struct window table;
    if (!table_rva(refs, config, field, "LOCK prefix", &rva))
        return false;
    if (rva == 0)
        return true;
    struct ref_spec spec = {.source = SOURCE_GUARD_TABLES,
                            .encoding = REF_VA,
                            .width_nbytes = width_nbytes,
                            .flags = REF_FLAG_LOADER_WRITES, /* kernels for one processor overwrite them */
                            .detail = load_config_offset(image, field)};
    uint64_t offset = 0;
    if (window_from_rva(image, rva, &table))
        for (; range_fits(table.bytes.nbytes, offset, width_nbytes); offset += width_nbytes) {
            if (load_width(table.bytes.bytes + offset, width_nbytes) == 0)
                return refset_extent(refs, rva, (uint32_t)offset + width_nbytes, EXTENT_GUARD_TABLE,
                                     SOURCE_GUARD_TABLES);
            if (window_claimed(refs, &table, offset))
                break;
            if (!window_add(refs, &table, offset, spec))
                return false;
        }
    return refset_problem(refs, SOURCE_GUARD_TABLES, rva, NO_FILE_OFFSET,
                          "The list of lock prefixes at RVA 0x%X does not end with a zero entry.", rva);
}

/* A header with two tables: RVAs of instructions, and ranges of RVA and size. */
static bool collect_volatile_metadata(struct refset *refs, const struct window *config)
{
    enum { ACCESS_NBYTES = 4, RANGE_NBYTES = 8 };
    struct lc_field field = LC_FIELD(LC_VOLATILE_METADATA);
    uint32_t rva;
    struct window header;
    if (!table_rva(refs, config, field, "volatile metadata", &rva))
        return false;
    if (rva == 0)
        return true;
    if (!window_at_rva(refs->image, rva, VOLATILE_METADATA_NBYTES, &header))
        return refset_problem(refs, SOURCE_GUARD_TABLES, rva, NO_FILE_OFFSET,
                              "The volatile metadata at RVA 0x%X have no bytes in the file.", rva);
    const uint8_t *bytes = header.bytes.bytes;
    struct ref_spec spec = {.source = SOURCE_GUARD_TABLES,
                            .encoding = REF_RVA,
                            .width_nbytes = 4,
                            .detail = load_config_offset(refs->image, field)};
    struct ref_spec code = spec;
    code.flags = REF_FLAG_CODE_TARGET;
    uint32_t access_count = load_u32(bytes + VOLATILE_ACCESS_TABLE_SIZE) / ACCESS_NBYTES;
    uint32_t range_count = load_u32(bytes + VOLATILE_RANGE_TABLE_SIZE) / RANGE_NBYTES;
    return window_add(refs, &header, VOLATILE_ACCESS_TABLE, spec) &&
           window_add(refs, &header, VOLATILE_RANGE_TABLE, spec) &&
           refset_extent(refs, rva, VOLATILE_METADATA_NBYTES, EXTENT_GUARD_TABLE, SOURCE_GUARD_TABLES) &&
           (access_count == 0 || collect_records(refs, load_u32(bytes + VOLATILE_ACCESS_TABLE), access_count,
                                                 ACCESS_NBYTES, code, "volatile access")) &&
           (range_count == 0 || collect_records(refs, load_u32(bytes + VOLATILE_RANGE_TABLE), range_count,
                                                RANGE_NBYTES, spec, "volatile range"));
}

bool refs_collect_guard_tables(struct refset *refs)
{
    struct window config;
    const char *problem;
    if (!load_config_open(refs->image, &config, &problem))
        return !problem || refset_problem(refs, SOURCE_GUARD_TABLES, NO_RVA, NO_FILE_OFFSET, "%s", problem);
    for (size_t i = 0; i < sizeof guard_tables / sizeof guard_tables[0]; i++)
        if (!collect_guard_table(refs, &config, &guard_tables[i]))
            return false;
    /* Table-based handlers of other machines live in unwind data; there the fields are unused. */
    if (refs->image->machine == MACHINE_I386 && !collect_guard_table(refs, &config, &safe_seh_table))
        return false;
    return collect_lock_prefixes(refs, &config) && collect_volatile_metadata(refs, &config);
}
