/* verify_place.c - names the thing that holds one byte of the file.
 * Takes: an image and an offset.  Gives: words.  Must not: judge, or take more than one walk over each table.
 */
#include "verify/verify_place.h"
#include "verify/verify_relocations.h"

enum { LONGEST_NAME_NBYTES = 0x1000 };

static const char *relocation_words(const struct verify_image *image, uint64_t foff, struct arena *arena)
{
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation))
        if (foff >= relocation.entry_foff && foff - relocation.entry_foff < BASERELOC_ENTRY_NBYTES)
            return arena_printf(arena, "a base relocation entry (type %u for RVA 0x%X)", relocation.type,
                                (unsigned)relocation.rva);
    return "the base relocation table (block header or padding)";
}

static bool string_holds(const struct verify_image *image, uint64_t string_rva, uint32_t rva)
{
    if (rva < string_rva || rva - string_rva >= LONGEST_NAME_NBYTES)
        return false;
    struct span bytes = verify_bytes_at(image, string_rva);
    size_t length;
    return span_cstr(bytes, 0, LONGEST_NAME_NBYTES, &length) && rva - string_rva <= length;
}

/* One thunk array: is rva one of its entries, or in the hint/name that an entry leads to? */
static const char *thunk_words(const struct verify_image *image, uint32_t array_rva, bool is_iat,
                               uint32_t rva, uint32_t *budget_count)
{
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t ordinal_flag = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    uint64_t entry = 0;
    for (uint64_t at_rva = array_rva; array_rva != 0 && *budget_count != 0; at_rva += width_nbytes) {
        --*budget_count;
        if (!verify_read_at(image, at_rva, width_nbytes, &entry))
            return NULL;
        if (rva >= at_rva && rva - at_rva < width_nbytes)
            return is_iat ? "an IAT slot" : "an import lookup table entry";
        if (entry == 0)
            return NULL;
        if (!(entry & ordinal_flag) && rva >= entry && rva - entry < 2)
            return "the hint of an imported name";
        if (!(entry & ordinal_flag) && string_holds(image, entry + 2, rva))
            return "an imported name";
    }
    return NULL;
}

static const char *import_words(const struct verify_image *image, uint32_t rva)
{
    if (image->directory_count <= DIR_IMPORT || image->directories[DIR_IMPORT].rva == 0)
        return NULL;
    /* Each descriptor and thunk costs at least four bytes of the file, unless tables overlap. */
    uint32_t budget_count = (uint32_t)(image->file.nbytes / 4) + 1;
    for (uint64_t at_rva = image->directories[DIR_IMPORT].rva; budget_count != 0;
         at_rva += IMPORT_DESCRIPTOR_NBYTES) {
        budget_count--;
        struct span descriptor = verify_bytes_at(image, at_rva);
        if (descriptor.nbytes < IMPORT_DESCRIPTOR_NBYTES)
            return NULL;
        if (rva >= at_rva && rva - at_rva < IMPORT_DESCRIPTOR_NBYTES)
            return "an import descriptor";
        uint32_t name_rva = load_u32(descriptor.bytes + IMPORT_NAME);
        if (name_rva == 0)
            return NULL;
        if (string_holds(image, name_rva, rva))
            return "the name of an imported module";
        uint32_t lookup_rva = load_u32(descriptor.bytes + IMPORT_ORIGINAL_FIRST_THUNK);
        const char *words = thunk_words(image, lookup_rva, false, rva, &budget_count);
        if (!words)
            words =
                thunk_words(image, load_u32(descriptor.bytes + IMPORT_FIRST_THUNK), true, rva, &budget_count);
        if (words)
            return words;
    }
    return NULL;
}

static const char *directory_words(const struct verify_image *image, uint32_t rva, uint64_t foff,
                                   struct arena *arena)
{
    for (uint32_t i = 0; i < image->directory_count; i++) {
        struct verify_directory directory = image->directories[i];
        if (i == DIR_SECURITY || rva < directory.rva || rva - directory.rva >= directory.nbytes)
            continue;
        if (i == DIR_BASERELOC)
            return relocation_words(image, foff, arena);
        return arena_printf(arena, "data directory %u (%s)", (unsigned)i, verify_directory_name(i));
    }
    return NULL;
}

static const char *mapped_words(const struct verify_image *image, const struct verify_section *section,
                                struct verify_place place, struct arena *arena)
{
    uint32_t rva = place.rva;
    const char *table = import_words(image, rva);
    if (!table)
        table = directory_words(image, rva, place.field.foff, arena);
    if (table)
        return arena_printf(arena, "%s in section %s", table, section->name);
    bool is_tail = section->virtual_nbytes != 0 && rva - section->rva >= section->virtual_nbytes;
    const char *kind = is_tail                                               ? "padding at the end of"
                       : section->characteristics & SCN_MEM_EXECUTE          ? "a code byte in"
                       : section->characteristics & SCN_CNT_INITIALIZED_DATA ? "a data byte in"
                                                                             : "a byte in";
    return arena_printf(arena, "%s section %s", kind, section->name);
}

static const char *unmapped_words(const struct verify_image *image, uint64_t foff)
{
    if (image->directory_count > DIR_SECURITY) {
        struct verify_directory table = image->directories[DIR_SECURITY];
        if (foff >= table.rva && foff - table.rva < table.nbytes)
            return "the certificate table";
    }
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].raw_nbytes != 0 && foff < image->sections[i].raw_foff)
            return "a gap between the sections";
    return "the overlay after the last section";
}

struct verify_place verify_place_at(const struct verify_image *image, uint64_t foff, struct arena *arena)
{
    struct verify_place place = {.rva = verify_foff_to_rva(image, foff)};
    if (verify_field_at(image, foff, arena, &place.field))
        return place;
    place.field = (struct verify_field){.foff = foff, .nbytes = 1};
    const struct verify_section *section = verify_section_at_foff(image, foff);
    if (section && place.rva != UINT32_MAX)
        place.field.name = mapped_words(image, section, place, arena);
    else if (section)
        place.field.name = arena_printf(arena, "an unmapped byte of section %s", section->name);
    else
        place.field.name = unmapped_words(image, foff);
    return place;
}
