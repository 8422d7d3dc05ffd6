/* refs_exports.c - the export directory, its address table with forwarders, and its names.
 * Takes: directory 0.  Gives: SOURCE_EXPORTS.  Name ordinals are indexes, not addresses.
 * Must not: demand order or uniqueness. Source: PE format specification, ".edata". */
#include "refs/refs_sources.h"

enum { EXPORT_NAME_MAX_NBYTES = 4096 };

static bool add_string_extent(struct refset *refs, uint32_t rva)
{
    struct span text;
    if (!image_string_at_rva(refs->image, rva, EXPORT_NAME_MAX_NBYTES, &text))
        return true;
    return refset_extent(refs, rva, (uint32_t)text.nbytes + 1, EXTENT_EXPORT_STRING, SOURCE_EXPORTS);
}

/* A table of `count` elements at rva, or as much of it as the file holds. */
static bool table_window(struct refset *refs, uint32_t rva, uint32_t count, unsigned element_nbytes,
                         const char *name, struct window *table, uint32_t *read_count)
{
    *read_count = 0;
    *table = (struct window){.rva = NO_RVA};
    if (count == 0)
        return true;
    if (window_from_rva(refs->image, rva, table)) {
        uint64_t room_count = table->bytes.nbytes / element_nbytes;
        *read_count = (uint32_t)(count < room_count ? count : room_count);
        *table = window_part(table, 0, (uint64_t)*read_count * element_nbytes);
    }
    if (!refset_extent(refs, rva, *read_count * element_nbytes, EXTENT_EXPORT_TABLE, SOURCE_EXPORTS))
        return false;
    return *read_count == count ||
           refset_problem(refs, SOURCE_EXPORTS, rva, NO_FILE_OFFSET,
                          "The export %s table has %u entries, but the file holds only %u of them.", name,
                          count, *read_count);
}

static bool collect_addresses(struct refset *refs, const struct directory *directory, uint32_t rva,
                              uint32_t count)
{
    struct window table;
    uint32_t read_count;
    if (!table_window(refs, rva, count, 4, "address", &table, &read_count))
        return false;
    for (uint32_t i = 0; i < read_count; i++) {
        uint32_t target_rva = load_u32(table.bytes.bytes + 4 * (size_t)i);
        /* An address inside the directory's own range is a string that names another module's export. */
        bool is_forwarder = target_rva - directory->rva < directory->nbytes;
        struct ref_spec spec = {
            .source = SOURCE_EXPORTS,
            .encoding = REF_RVA,
            .width_nbytes = 4,
            .flags = is_forwarder ? 0 : refset_code_flag(refs->image, target_rva),
            .detail = is_forwarder ? DETAIL_EXPORT_FORWARDER : DETAIL_EXPORT_ADDRESS,
        };
        if (!window_add(refs, &table, 4 * (uint64_t)i, spec) ||
            (is_forwarder && !add_string_extent(refs, target_rva)))
            return false;
    }
    return true;
}

static bool collect_names(struct refset *refs, uint32_t rva, uint32_t count)
{
    struct window table;
    uint32_t read_count;
    if (!table_window(refs, rva, count, 4, "name", &table, &read_count))
        return false;
    struct ref_spec spec = {
        .source = SOURCE_EXPORTS, .encoding = REF_RVA, .width_nbytes = 4, .detail = DETAIL_EXPORT_NAME};
    for (uint32_t i = 0; i < read_count; i++) {
        uint32_t name_rva = load_u32(table.bytes.bytes + 4 * (size_t)i);
        if (!window_add(refs, &table, 4 * (uint64_t)i, spec) || !add_string_extent(refs, name_rva) ||
            (image_run_at_rva(refs->image, name_rva).nbytes == 0 &&
             !refset_problem(refs, SOURCE_EXPORTS, name_rva, NO_FILE_OFFSET,
                             "The name of an export at RVA 0x%X has no bytes in the file.", name_rva)))
            return false;
    }
    return true;
}

bool refs_collect_exports(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_EXPORT);
    struct window header;
    if (!directory)
        return true;
    if (!window_at_rva(refs->image, directory->rva, EXPORT_DIRECTORY_NBYTES, &header))
        return refset_problem(refs, SOURCE_EXPORTS, directory->rva, NO_FILE_OFFSET,
                              "The export directory at RVA 0x%X has no bytes in the file.", directory->rva);
    static const uint8_t fields[] = {EXPORT_NAME, EXPORT_ADDRESS_OF_FUNCTIONS, EXPORT_ADDRESS_OF_NAMES,
                                     EXPORT_ADDRESS_OF_NAME_ORDINALS};
    struct ref_spec spec = {
        .source = SOURCE_EXPORTS, .encoding = REF_RVA, .width_nbytes = 4, .detail = DETAIL_EXPORT_DIRECTORY};
    for (size_t i = 0; i < sizeof fields; i++)
        if (!window_add(refs, &header, fields[i], spec))
            return false;

    const uint8_t *bytes = header.bytes.bytes;
    uint32_t name_count = load_u32(bytes + EXPORT_NUMBER_OF_NAMES);
    struct window ordinals;
    uint32_t ordinal_count;
    return refset_extent(refs, header.rva, EXPORT_DIRECTORY_NBYTES, EXTENT_EXPORT_DIRECTORY,
                         SOURCE_EXPORTS) &&
           add_string_extent(refs, load_u32(bytes + EXPORT_NAME)) &&
           collect_addresses(refs, directory, load_u32(bytes + EXPORT_ADDRESS_OF_FUNCTIONS),
                             load_u32(bytes + EXPORT_NUMBER_OF_FUNCTIONS)) &&
           collect_names(refs, load_u32(bytes + EXPORT_ADDRESS_OF_NAMES), name_count) &&
           table_window(refs, load_u32(bytes + EXPORT_ADDRESS_OF_NAME_ORDINALS), name_count, 2, "ordinal",
                        &ordinals, &ordinal_count);
}
