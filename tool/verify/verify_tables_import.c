/* verify_tables_import.c - import and delay import tables: which arrays the loader or its helper writes.
 * Takes: an image.  Gives: thunk arrays as ranges.  Must not: trust the directory's size: the loader walks to
 * the empty descriptor.  Source: PE format, .idata and delay-load import tables. */
#include "verify/verify_tables_internal.h"

/* Bytes of the thunk array at rva with its terminating zero; false when it does not end inside its section.
 */
static bool thunk_array_nbytes(struct table_collector *collector, uint64_t rva, uint64_t *nbytes)
{
    unsigned width_nbytes = collector->image->is_64 ? 8 : 4;
    struct span bytes = verify_bytes_at(collector->image, rva);
    for (uint64_t at = 0; range_fits(bytes.nbytes, at, width_nbytes); at += width_nbytes) {
        if (collector->budget_count == 0)
            return false;
        collector->budget_count--;
        if (load_width(bytes.bytes + at, width_nbytes) == 0) {
            *nbytes = at + width_nbytes;
            return true;
        }
    }
    return false;
}

/* The array that is written has as many slots as the array that names the imports; when there is none, it
 * is its own. */
static bool collect_thunks(struct table_collector *collector, uint64_t descriptor_rva, uint64_t names_rva,
                           uint64_t slots_rva, const char *what)
{
    uint64_t nbytes, first_rva = names_rva != 0 ? names_rva : slots_rva;
    if (verify_bytes_at(collector->image, first_rva).nbytes == 0)
        return collect_problem(collector, descriptor_rva,
                               "an import descriptor leads to a thunk array in no section");
    if (!thunk_array_nbytes(collector, first_rva, &nbytes))
        return collect_problem(collector, first_rva, "a thunk array does not end inside its section");
    if (names_rva != 0 && !collect_range(collector, RANGE_TYPED, names_rva, nbytes, "an import lookup table"))
        return false;
    if (!collect_import_names(collector, names_rva != 0 ? names_rva : slots_rva, slots_rva, nbytes))
        return false;
    return slots_rva == 0 || collect_range(collector, RANGE_TYPED | RANGE_WRITTEN, slots_rva, nbytes, what);
}

bool collect_imports(struct table_collector *collector)
{
    uint64_t at_rva = collect_directory(collector, DIR_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (; collector->budget_count != 0; at_rva += IMPORT_DESCRIPTOR_NBYTES) {
        collector->budget_count--;
        struct span descriptor = verify_bytes_at(collector->image, at_rva);
        if (descriptor.nbytes < IMPORT_DESCRIPTOR_NBYTES)
            return collect_problem(collector, at_rva,
                                   "the import descriptors do not end inside their section");
        uint32_t names_rva = load_u32(descriptor.bytes + IMPORT_ORIGINAL_FIRST_THUNK);
        uint32_t slots_rva = load_u32(descriptor.bytes + IMPORT_FIRST_THUNK);
        if (!collect_range(collector, RANGE_TYPED, at_rva, IMPORT_DESCRIPTOR_NBYTES,
                           "an import descriptor") ||
            !collect_import_descriptor(collector, at_rva, descriptor.bytes))
            return false;
        if (load_u32(descriptor.bytes + IMPORT_NAME) == 0)
            return true;
        if (!collect_thunks(collector, at_rva, names_rva, slots_rva, "an import's thunk array (FirstThunk)"))
            return false;
    }
    return collect_problem(collector, at_rva, "the import tables overlap each other without end");
}

/* Old descriptors hold addresses, newer ones RVAs. */
static uint64_t delay_rva(const struct verify_image *image, const uint8_t *descriptor, unsigned at)
{
    uint64_t value = load_u32(descriptor + at);
    if (value == 0 || (load_u32(descriptor + DELAY_ATTRIBUTES) & DELAY_ATTRIBUTE_RVA))
        return value;
    return value - image->base_va;
}

bool collect_delay_imports(struct table_collector *collector)
{
    const struct verify_image *image = collector->image;
    uint64_t at_rva = collect_directory(collector, DIR_DELAY_IMPORT).rva;
    if (at_rva == 0)
        return true;
    for (; collector->budget_count != 0; at_rva += DELAY_DESCRIPTOR_NBYTES) {
        collector->budget_count--;
        struct span descriptor = verify_bytes_at(image, at_rva);
        if (descriptor.nbytes < DELAY_DESCRIPTOR_NBYTES)
            return collect_problem(collector, at_rva,
                                   "the delay import descriptors do not end inside their section");
        if (load_u32(descriptor.bytes + DELAY_NAME) == 0)
            return true;
        uint64_t handle_rva = delay_rva(image, descriptor.bytes, DELAY_MODULE_HANDLE);
        if (!collect_range(collector, RANGE_TYPED, at_rva, DELAY_DESCRIPTOR_NBYTES,
                           "a delay import descriptor") ||
            (handle_rva != 0 && !collect_range(collector, RANGE_WRITTEN, handle_rva, image->is_64 ? 8 : 4,
                                               "a delay import's module handle")) ||
            !collect_thunks(collector, at_rva, delay_rva(image, descriptor.bytes, DELAY_INT),
                            delay_rva(image, descriptor.bytes, DELAY_IAT), "a delay import's IAT"))
            return false;
    }
    return collect_problem(collector, at_rva, "the delay import tables overlap each other without end");
}
