/* refs_bound.c - bound import descriptors.
 * Takes: directory 11, which usually lies in the headers.  Gives: SOURCE_BOUND_IMPORTS: the offset of each
 * module name from the directory's start. Must not: judge whether the binding is current.
 * Source: PE format specification, public winnt.h (IMAGE_BOUND_IMPORT_DESCRIPTOR). */
#include "refs/refs_sources.h"

bool refs_collect_bound_imports(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_BOUND_IMPORT);
    struct window table;
    if (!directory)
        return true;
    if (!window_at_rva(refs->image, directory->rva, directory->nbytes, &table))
        return refset_problem(
            refs, SOURCE_BOUND_IMPORTS, directory->rva, NO_FILE_OFFSET,
            "The bound import directory at RVA 0x%X (0x%X bytes) is not wholly in the file.", directory->rva,
            directory->nbytes);
    struct ref_spec spec = {.source = SOURCE_BOUND_IMPORTS,
                            .encoding = REF_OFFSET,
                            .width_nbytes = 2,
                            .base_rva = directory->rva};
    /* Forwarder references follow their descriptor and have the same size and the same name field. */
    for (uint64_t at = 0; range_fits(table.bytes.nbytes, at, BOUND_DESCRIPTOR_NBYTES);
         at += BOUND_DESCRIPTOR_NBYTES) {
        const uint8_t *descriptor = table.bytes.bytes + at;
        if (load_u16(descriptor + BOUND_OFFSET_MODULE_NAME) == 0)
            break;
        if (!window_add(refs, &table, at + BOUND_OFFSET_MODULE_NAME, spec))
            return false;
        uint32_t forwarder_count = load_u16(descriptor + BOUND_NUMBER_OF_FORWARDERS);
        for (; forwarder_count > 0 &&
               range_fits(table.bytes.nbytes, at + BOUND_DESCRIPTOR_NBYTES, BOUND_DESCRIPTOR_NBYTES);
             forwarder_count--) {
            at += BOUND_DESCRIPTOR_NBYTES;
            if (!window_add(refs, &table, at + BOUND_OFFSET_MODULE_NAME, spec))
                return false;
        }
        if (forwarder_count > 0 &&
            !refset_problem(refs, SOURCE_BOUND_IMPORTS, table.rva, table.foff + at,
                            "A bound import names more forwarders than the directory holds."))
            return false;
    }
    return refset_extent(refs, table.rva, directory->nbytes, EXTENT_BOUND_IMPORTS, SOURCE_BOUND_IMPORTS);
}
