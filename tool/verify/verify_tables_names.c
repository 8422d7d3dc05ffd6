/* verify_tables_names.c - import tables of which every entry leads to a name.
 * Takes: an array of a descriptor that the loader walks.  Gives: ranges that hold no instruction.
 * Must not: believe an array of which one entry names nothing: the loader would not load the image, and the
 * bytes may be anything.  Source: PE format, import lookup table and hint/name table. */
#include "verify/verify_tables_internal.h"

#include <string.h>

enum { HINT_NBYTES = 2, NAME_MAX_NBYTES = 1024, ORDINAL_NBITS = 16 };

static bool is_name_character(uint8_t byte)
{
    return byte > ' ' && byte <= '~';
}

/* Bytes at rva up to the end of the name that begins `first` bytes behind it; 0 when there is none. */
static uint64_t name_nbytes(struct table_collector *collector, uint64_t rva, uint64_t first)
{
    struct span bytes = verify_bytes_at(collector->image, rva);
    for (uint64_t at = first; at < NAME_MAX_NBYTES && range_fits(bytes.nbytes, at, 1); at++) {
        if (collector->names_budget_count == 0)
            return 0;
        collector->names_budget_count--;
        if (bytes.bytes[at] == 0)
            return at > first ? at + 1 : 0;
        if (!is_name_character(bytes.bytes[at]))
            return 0;
    }
    return 0;
}

/* The entry's name, or nothing for an ordinal; false when it is neither. */
static bool read_entry(struct table_collector *collector, uint64_t entry, struct verify_range *name)
{
    uint64_t ordinal_bit = (uint64_t)1 << (collector->image->is_64 ? 63 : 31);
    *name = (struct verify_range){0, 0, "an import's name"};
    if (entry & ordinal_bit)
        return (entry & ~ordinal_bit) >> ORDINAL_NBITS == 0;
    if (entry > INT32_MAX)
        return false;
    uint64_t nbytes = name_nbytes(collector, entry, HINT_NBYTES);
    *name = (struct verify_range){entry, entry + nbytes, name->what};
    return nbytes != 0;
}

bool collect_import_names(struct table_collector *collector, uint64_t names_rva, uint64_t slots_rva,
                          uint64_t nbytes)
{
    struct verify_range_list *imports = &collector->tables->imports;
    unsigned width_nbytes = collector->image->is_64 ? 8 : 4;
    struct span bytes = verify_bytes_at(collector->image, names_rva);
    size_t kept_count = imports->count;
    for (uint64_t at = 0; at + width_nbytes < nbytes && range_fits(bytes.nbytes, at, width_nbytes);
         at += width_nbytes) {
        struct verify_range name;
        if (!read_entry(collector, load_width(bytes.bytes + at, width_nbytes), &name)) {
            imports->count = kept_count;
            return true;
        }
        if (!collect_range(collector, RANGE_IMPORT, name.rva, name.end_rva - name.rva, name.what))
            return false;
    }
    if (nbytes <= width_nbytes) /* an array of nothing but its end */
        return true;
    return collect_range(collector, RANGE_IMPORT, names_rva, nbytes, "an import lookup table") &&
           (slots_rva == 0 || collect_range(collector, RANGE_IMPORT, slots_rva, nbytes, "import slots"));
}

bool collect_import_descriptor(struct table_collector *collector, uint64_t rva, const uint8_t *descriptor)
{
    static const uint8_t end[IMPORT_DESCRIPTOR_NBYTES] = {0};
    uint32_t name_rva = load_u32(descriptor + IMPORT_NAME);
    uint64_t nbytes = name_rva != 0 ? name_nbytes(collector, name_rva, 0) : 0;
    if (nbytes == 0 && memcmp(descriptor, end, sizeof end) != 0)
        return true;
    return collect_range(collector, RANGE_IMPORT, rva, IMPORT_DESCRIPTOR_NBYTES, "an import descriptor") &&
           collect_range(collector, RANGE_IMPORT, name_rva, nbytes, "a module's name");
}
