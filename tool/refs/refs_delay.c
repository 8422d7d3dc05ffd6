/* refs_delay.c - delay-load import descriptors with their name tables and IATs.
 * Takes: directory 13.  Gives: SOURCE_DELAY_IMPORTS. Bit 0 of the attributes says whether a descriptor holds
 * RVAs or, from Visual C++ 6, absolute addresses. The IAT slots hold absolute addresses of load thunks.
 * Must not: judge where an IAT lies. Source: PE format specification, "Delay-Load Import Tables". */
#include "refs/refs_sources.h"
#include "refs/refs_thunks.h"

struct delay_descriptor {
    struct window window;
    bool holds_rvas;
};

static uint32_t field_rva(const struct refset *refs, const struct delay_descriptor *descriptor,
                          unsigned offset)
{
    uint32_t value = load_u32(descriptor->window.bytes.bytes + offset);
    uint32_t rva;
    if (descriptor->holds_rvas || value == 0)
        return value;
    return image_va_to_rva(refs->image, value, &rva) ? rva : 0;
}

static bool add_fields(struct refset *refs, const struct delay_descriptor *descriptor)
{
    static const struct {
        uint8_t offset, flags, detail;
    } fields[] = {
        {DELAY_NAME, 0, DETAIL_IMPORT_MODULE_NAME},
        /* The delay-load helper, which is part of the image, stores the module handle and the IAT slots. */
        {DELAY_MODULE_HANDLE, REF_FLAG_LOADER_WRITES, DETAIL_IMPORT_DESCRIPTOR},
        {DELAY_IAT, REF_FLAG_LOADER_WRITES, DETAIL_IMPORT_IAT_FIELD},
        {DELAY_INT, 0, DETAIL_IMPORT_DESCRIPTOR},
        {DELAY_BOUND_IAT, 0, DETAIL_IMPORT_DESCRIPTOR},
        {DELAY_UNLOAD_IAT, 0, DETAIL_IMPORT_DESCRIPTOR},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct ref_spec spec = {.source = SOURCE_DELAY_IMPORTS,
                                .encoding = descriptor->holds_rvas ? REF_RVA : REF_VA,
                                .width_nbytes = 4,
                                .flags = fields[i].flags,
                                .detail = fields[i].detail};
        if (!window_add(refs, &descriptor->window, fields[i].offset, spec))
            return false;
    }
    return true;
}

/* An array of `count` slots that hold absolute addresses in this image. */
static bool add_address_slots(struct refset *refs, uint32_t rva, uint32_t count, uint16_t detail,
                              enum extent_kind kind)
{
    struct thunk_array array;
    if (rva == 0 || count == 0)
        return true;
    if (!thunk_array_find_sized(refs, rva, count, &array))
        return refset_problem(refs, SOURCE_DELAY_IMPORTS, rva, NO_FILE_OFFSET,
                              "A delay-load table at RVA 0x%X has no bytes in the file.", rva);
    struct ref_spec spec = {
        .source = SOURCE_DELAY_IMPORTS, .encoding = REF_VA, .flags = REF_FLAG_CODE_TARGET, .detail = detail};
    for (uint32_t i = 0; i < array.count; i++)
        if (!thunk_add(refs, &array, i, spec))
            return false;
    if (array.count < count &&
        !refset_problem(refs, SOURCE_DELAY_IMPORTS, rva, array.window.foff,
                        "The delay-load table at RVA 0x%X has %u slots, but only %u could be read.", rva,
                        count, array.count))
        return false;
    return refset_extent(refs, rva, thunk_array_nbytes(refs, &array), kind, SOURCE_DELAY_IMPORTS);
}

/* A bound table holds addresses in the other module; its size is that of the names. */
static bool add_bound_table(struct refset *refs, uint32_t rva, uint32_t count)
{
    struct window table;
    uint64_t nbytes = ((uint64_t)count + 1) * image_pointer_nbytes(refs->image);
    if (rva == 0 || !window_at_rva(refs->image, rva, nbytes, &table))
        return true;
    return refset_extent(refs, rva, (uint32_t)nbytes, EXTENT_DELAY_TABLE, SOURCE_DELAY_IMPORTS);
}

static bool collect_descriptor(struct refset *refs, struct delay_descriptor *descriptor)
{
    struct thunk_array names;
    descriptor->holds_rvas =
        (load_u32(descriptor->window.bytes.bytes + DELAY_ATTRIBUTES) & DELAY_ATTRIBUTE_RVA) != 0;
    uint32_t module_rva = field_rva(refs, descriptor, DELAY_NAME);
    if (!add_fields(refs, descriptor) ||
        (image_run_at_rva(refs->image, module_rva).nbytes == 0 &&
         !refset_problem(refs, SOURCE_DELAY_IMPORTS, module_rva, NO_FILE_OFFSET,
                         "The name of a delay-loaded module at RVA 0x%X has no bytes in the file.",
                         module_rva)))
        return false;
    uint32_t names_rva = field_rva(refs, descriptor, DELAY_INT);
    if (!thunk_array_find(refs, names_rva, UINT32_MAX, &names))
        return refset_problem(refs, SOURCE_DELAY_IMPORTS, descriptor->window.rva, descriptor->window.foff,
                              "The name table of the delay-load descriptor at RVA 0x%X has no bytes in the "
                              "file, so the size of its IAT is not known.",
                              descriptor->window.rva);
    if (names.is_shared &&
        !refset_problem(refs, SOURCE_DELAY_IMPORTS, names_rva, names.window.foff,
                        "The delay-load name table at RVA 0x%X runs into another table.", names_rva))
        return false;
    return thunk_array_add(refs, &names, SOURCE_DELAY_IMPORTS, descriptor->holds_rvas ? REF_RVA : REF_VA,
                           DETAIL_IMPORT_LOOKUP, true) &&
           refset_extent(refs, names_rva, thunk_array_nbytes(refs, &names), EXTENT_DELAY_TABLE,
                         SOURCE_DELAY_IMPORTS) &&
           add_address_slots(refs, field_rva(refs, descriptor, DELAY_IAT), names.count, DETAIL_IMPORT_IAT,
                             EXTENT_DELAY_IAT) &&
           add_address_slots(refs, field_rva(refs, descriptor, DELAY_UNLOAD_IAT), names.count,
                             DETAIL_IMPORT_COPY, EXTENT_DELAY_TABLE) &&
           add_bound_table(refs, field_rva(refs, descriptor, DELAY_BOUND_IAT), names.count);
}

bool refs_collect_delay_imports(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_DELAY_IMPORT);
    struct window table;
    if (!directory)
        return true;
    if (!window_from_rva(refs->image, directory->rva, &table))
        return refset_problem(refs, SOURCE_DELAY_IMPORTS, directory->rva, NO_FILE_OFFSET,
                              "The delay-load directory at RVA 0x%X has no bytes in the file.",
                              directory->rva);
    for (uint64_t at = 0; range_fits(table.bytes.nbytes, at, DELAY_DESCRIPTOR_NBYTES);
         at += DELAY_DESCRIPTOR_NBYTES) {
        struct delay_descriptor descriptor = {.window = window_part(&table, at, DELAY_DESCRIPTOR_NBYTES)};
        if (!refset_extent(refs, descriptor.window.rva, DELAY_DESCRIPTOR_NBYTES, EXTENT_DELAY_DESCRIPTORS,
                           SOURCE_DELAY_IMPORTS))
            return false;
        if (load_u32(descriptor.window.bytes.bytes + DELAY_NAME) == 0) /* the terminator */
            return true;
        if (window_claimed(refs, &descriptor.window, DELAY_NAME))
            break;
        if (!collect_descriptor(refs, &descriptor))
            return false;
    }
    return refset_problem(refs, SOURCE_DELAY_IMPORTS, table.rva, table.foff,
                          "The delay-load descriptors at RVA 0x%X do not end with an empty one.", table.rva);
}
