/* refs_imports.c - import descriptors, lookup tables, and the IAT as it lies on disk.
 * Takes: directory 1.  Gives: SOURCE_IMPORTS, and one EXTENT_IAT for each descriptor's array.
 * The walk goes to the terminator, not by the directory's size, which linkers often get wrong.
 * Must not: judge where an IAT lies. Source: PE format specification, ".idata". */
#include "refs/refs_sources.h"
#include "refs/refs_thunks.h"

enum { MODULE_NAME_MAX_NBYTES = 512 };

struct import_descriptor {
    uint32_t lookup_rva, time_date_stamp, name_rva, iat_rva;
};

static bool add_descriptor(struct refset *refs, const struct window *table, uint64_t offset,
                           const struct import_descriptor *descriptor)
{
    struct ref_spec lookup = {
        .source = SOURCE_IMPORTS, .encoding = REF_RVA, .width_nbytes = 4, .detail = DETAIL_IMPORT_DESCRIPTOR};
    struct ref_spec name = lookup, iat = lookup;
    name.detail = DETAIL_IMPORT_MODULE_NAME;
    iat.detail = DETAIL_IMPORT_IAT_FIELD;
    iat.flags = REF_FLAG_LOADER_WRITES;
    struct span text;
    if (!window_add(refs, table, offset + IMPORT_ORIGINAL_FIRST_THUNK, lookup) ||
        !window_add(refs, table, offset + IMPORT_NAME, name) ||
        !window_add(refs, table, offset + IMPORT_FIRST_THUNK, iat) ||
        !refset_extent(refs, table->rva + (uint32_t)offset, IMPORT_DESCRIPTOR_NBYTES,
                       EXTENT_IMPORT_DESCRIPTORS, SOURCE_IMPORTS))
        return false;
    if (image_run_at_rva(refs->image, descriptor->name_rva).nbytes == 0)
        return refset_problem(refs, SOURCE_IMPORTS, descriptor->name_rva, NO_FILE_OFFSET,
                              "The name of an imported module at RVA 0x%X has no bytes in the file.",
                              descriptor->name_rva);
    return !image_string_at_rva(refs->image, descriptor->name_rva, MODULE_NAME_MAX_NBYTES, &text) ||
           refset_extent(refs, descriptor->name_rva, (uint32_t)text.nbytes + 1, EXTENT_IMPORT_NAME,
                         SOURCE_IMPORTS);
}

/* A module of an "ext-ms-" API set may be missing. The linker lets such a slot hold the address of a function
 * of the image itself, as a delay-load slot does: it is what is called while the loader puts nothing else
 * there. Observed in win32k*.sys and dxgkrnl.sys of Windows 10; each of these addresses has a base
 * relocation. */
static bool is_function_of_its_own(const struct refset *refs, uint64_t value)
{
    uint32_t rva;
    if (!image_va_to_rva(refs->image, value, &rva))
        return false;
    const struct section *section = image_section_at_rva(refs->image, rva);
    return section && rva - section->rva < section->memory_nbytes &&
           (section->characteristics & SCN_MEM_EXECUTE) != 0;
}

/* On disk an IAT slot repeats its lookup slot; a bound one holds an address in the other module. */
static bool add_iat_beside_lookup(struct refset *refs, const struct thunk_array *iat,
                                  const struct thunk_array *lookup,
                                  const struct import_descriptor *descriptor)
{
    uint32_t different_count = 0;
    for (uint32_t i = 0; i < iat->count; i++) {
        uint64_t value = thunk_value(refs, iat, i);
        bool is_different = value != thunk_value(refs, lookup, i);
        struct ref_spec spec = {.source = SOURCE_IMPORTS, .encoding = REF_RVA, .detail = DETAIL_IMPORT_IAT};
        if (is_different && descriptor->time_date_stamp == 0 && is_function_of_its_own(refs, value)) {
            spec.encoding = REF_VA;
            spec.flags = REF_FLAG_CODE_TARGET;
        } else {
            different_count += is_different;
            spec.is_constant = is_different || thunk_is_ordinal(refs, value) || value > INT32_MAX;
        }
        if (!thunk_add(refs, iat, i, spec))
            return false;
    }
    if (different_count == 0 || descriptor->time_date_stamp != 0)
        return true;
    return refset_limit(refs, SOURCE_IMPORTS, descriptor->iat_rva, iat->window.foff,
                        "%u slots of the IAT at RVA 0x%X differ from their lookup table, although the "
                        "descriptor is not bound; they are taken as constants.",
                        different_count, descriptor->iat_rva);
}

/* Lookup tables are read once: where one runs into another table, the IAT alone says what is imported. */
static bool add_lookup(struct refset *refs, const struct import_descriptor *descriptor,
                       struct thunk_array *lookup, bool *is_usable)
{
    *is_usable = descriptor->lookup_rva != descriptor->iat_rva &&
                 thunk_array_find(refs, descriptor->lookup_rva, UINT32_MAX, lookup);
    if (!*is_usable && descriptor->lookup_rva != 0 && descriptor->lookup_rva != descriptor->iat_rva)
        return refset_problem(refs, SOURCE_IMPORTS, descriptor->lookup_rva, NO_FILE_OFFSET,
                              "The import lookup table at RVA 0x%X has no bytes in the file.",
                              descriptor->lookup_rva);
    if (!*is_usable)
        return true;
    if (!thunk_array_add(refs, lookup, SOURCE_IMPORTS, REF_RVA, DETAIL_IMPORT_LOOKUP, true) ||
        !refset_extent(refs, lookup->window.rva, thunk_array_nbytes(refs, lookup), EXTENT_IMPORT_LOOKUP,
                       SOURCE_IMPORTS))
        return false;
    if (!lookup->is_shared)
        return true;
    *is_usable = false;
    return refset_problem(refs, SOURCE_IMPORTS, descriptor->lookup_rva, lookup->window.foff,
                          "The import lookup table at RVA 0x%X runs into another table; the names beyond are "
                          "taken from the IAT.",
                          descriptor->lookup_rva);
}

/* A table that runs to the end of its section's bytes in the file may still end properly: with the zeros that
 * the section has beyond them in memory. */
static bool ends_in_zeros(const struct refset *refs, const struct window *window)
{
    const struct section *section = image_section_at_rva(refs->image, window->rva);
    uint64_t file_end_rva = (uint64_t)window->rva + window->bytes.nbytes;
    return section && (uint64_t)section->rva + section->memory_nbytes > file_end_rva;
}

static bool is_open_ended(const struct refset *refs, const struct thunk_array *array)
{
    return !array->is_terminated && !array->is_shared && !ends_in_zeros(refs, &array->window);
}

static bool collect_thunks(struct refset *refs, const struct import_descriptor *descriptor)
{
    struct thunk_array lookup, iat;
    bool has_lookup;
    if (!add_lookup(refs, descriptor, &lookup, &has_lookup))
        return false;
    bool has_iat = has_lookup ? thunk_array_find_sized(refs, descriptor->iat_rva, lookup.count, &iat)
                              : thunk_array_find(refs, descriptor->iat_rva, UINT32_MAX, &iat);
    if (!has_iat)
        return refset_problem(refs, SOURCE_IMPORTS, descriptor->iat_rva, NO_FILE_OFFSET,
                              "The IAT at RVA 0x%X has no bytes in the file.", descriptor->iat_rva);
    const struct thunk_array *names = has_lookup ? &lookup : &iat;
    if (is_open_ended(refs, names) &&
        !refset_problem(refs, SOURCE_IMPORTS, names->window.rva, names->window.foff,
                        "The import thunks at RVA 0x%X do not end inside their section.", names->window.rva))
        return false;
    if (iat.is_shared && !refset_problem(refs, SOURCE_IMPORTS, descriptor->iat_rva, iat.window.foff,
                                         "The IAT at RVA 0x%X runs into another table.", descriptor->iat_rva))
        return false;
    uint32_t iat_nbytes = thunk_array_nbytes(refs, &iat);
    if (iat.count < names->count && !iat.is_shared) { /* the loader writes all slots, wherever they lie */
        iat_nbytes = names->count * image_pointer_nbytes(refs->image);
        if (!refset_problem(refs, SOURCE_IMPORTS, descriptor->iat_rva, iat.window.foff,
                            "The IAT at RVA 0x%X has %u slots, but its section has bytes for only %u.",
                            descriptor->iat_rva, names->count, iat.count))
            return false;
    }
    return (has_lookup ? add_iat_beside_lookup(refs, &iat, &lookup, descriptor)
                       : thunk_array_add(refs, &iat, SOURCE_IMPORTS, REF_RVA, DETAIL_IMPORT_IAT, true)) &&
           refset_extent(refs, iat.window.rva, iat_nbytes, EXTENT_IAT, SOURCE_IMPORTS);
}

bool refs_collect_imports(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_IMPORT);
    struct window table;
    if (!directory)
        return true;
    if (!window_from_rva(refs->image, directory->rva, &table))
        return refset_problem(refs, SOURCE_IMPORTS, directory->rva, NO_FILE_OFFSET,
                              "The import directory at RVA 0x%X has no bytes in the file.", directory->rva);
    uint64_t offset = 0;
    for (; offset + IMPORT_DESCRIPTOR_NBYTES <= table.bytes.nbytes; offset += IMPORT_DESCRIPTOR_NBYTES) {
        const uint8_t *bytes = table.bytes.bytes + offset;
        struct import_descriptor descriptor = {
            load_u32(bytes + IMPORT_ORIGINAL_FIRST_THUNK), load_u32(bytes + IMPORT_TIME_DATE_STAMP),
            load_u32(bytes + IMPORT_NAME), load_u32(bytes + IMPORT_FIRST_THUNK)};
        if (descriptor.name_rva != 0 && descriptor.iat_rva == 0 &&
            !refset_problem(refs, SOURCE_IMPORTS, table.rva + (uint32_t)offset, table.foff + offset,
                            "The import descriptor at RVA 0x%X names a module but no IAT.",
                            table.rva + (uint32_t)offset))
            return false;
        if (descriptor.name_rva == 0 || descriptor.iat_rva == 0) /* the loader stops here */
            return refset_extent(refs, table.rva + (uint32_t)offset, IMPORT_DESCRIPTOR_NBYTES,
                                 EXTENT_IMPORT_DESCRIPTORS, SOURCE_IMPORTS);
        if (window_claimed(refs, &table, offset + IMPORT_NAME))
            return refset_problem(refs, SOURCE_IMPORTS, table.rva + (uint32_t)offset, table.foff + offset,
                                  "The import descriptors run into another table.");
        if (!add_descriptor(refs, &table, offset, &descriptor) || !collect_thunks(refs, &descriptor))
            return false;
    }
    return ends_in_zeros(refs, &table) ||
           refset_problem(refs, SOURCE_IMPORTS, table.rva, table.foff,
                          "The import descriptors at RVA 0x%X do not end with an empty one.", table.rva);
}
