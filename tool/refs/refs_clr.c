/* refs_clr.c - the CLR header of managed images.
 * Takes: directory 14.  Gives: SOURCE_CLR: the RVAs of the header itself. The metadata below it names methods
 * by RVA; it is not read, and a problem says so: managed images are never rearranged.
 * Must not: read metadata. Source: ECMA-335, II.25.3.3 "CLI header". */
#include "refs/refs_sources.h"

enum {
    CLR_METADATA = 0x08,
    CLR_FLAGS = 0x10,
    CLR_ENTRY_POINT = 0x14,
    CLR_RESOURCES = 0x18,
    CLR_STRONG_NAME = 0x20,
    CLR_CODE_MANAGER_TABLE = 0x28,
    CLR_VTABLE_FIXUPS = 0x30,
    CLR_EXPORT_ADDRESS_TABLE_JUMPS = 0x38,
    CLR_MANAGED_NATIVE_HEADER = 0x40,
    CLR_HEADER_NBYTES = 0x48,
    CLR_FLAG_NATIVE_ENTRY_POINT = 0x10
};

bool refs_collect_clr(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_CLR);
    struct window header;
    if (!directory)
        return true;
    if (!window_at_rva(refs->image, directory->rva, CLR_HEADER_NBYTES, &header))
        return refset_problem(refs, SOURCE_CLR, directory->rva, NO_FILE_OFFSET,
                              "The CLR header at RVA 0x%X has no bytes in the file.", directory->rva);
    static const uint8_t fields[] = {CLR_METADATA,
                                     CLR_ENTRY_POINT,
                                     CLR_RESOURCES,
                                     CLR_STRONG_NAME,
                                     CLR_CODE_MANAGER_TABLE,
                                     CLR_VTABLE_FIXUPS,
                                     CLR_EXPORT_ADDRESS_TABLE_JUMPS,
                                     CLR_MANAGED_NATIVE_HEADER};
    uint32_t flags = load_u32(header.bytes.bytes + CLR_FLAGS);
    for (size_t i = 0; i < sizeof fields; i++) {
        struct ref_spec spec = {
            .source = SOURCE_CLR, .encoding = REF_RVA, .width_nbytes = 4, .detail = fields[i]};
        if (fields[i] == CLR_ENTRY_POINT) {
            spec.flags = REF_FLAG_CODE_TARGET;
            spec.is_constant = (flags & CLR_FLAG_NATIVE_ENTRY_POINT) == 0; /* a metadata token */
            if (spec.is_constant)
                spec.flags = 0;
        }
        if (!window_add(refs, &header, fields[i], spec))
            return false;
    }
    return refset_extent(refs, header.rva, CLR_HEADER_NBYTES, EXTENT_CLR_HEADER, SOURCE_CLR) &&
           refset_limit(refs, SOURCE_CLR, header.rva, header.foff,
                        "The image is managed; the method addresses in its metadata are not read.");
}
