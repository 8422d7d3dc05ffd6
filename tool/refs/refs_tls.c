/* refs_tls.c - the TLS directory and its callbacks.
 * Takes: directory 9.  Gives: SOURCE_TLS: four absolute addresses and the callback array.
 * Must not: read the template data. Source: PE format specification, ".tls". */
#include "refs/refs_sources.h"

static bool collect_callbacks(struct refset *refs, uint32_t rva)
{
    unsigned width_nbytes = image_pointer_nbytes(refs->image);
    struct ref_spec spec = {
        .source = SOURCE_TLS,
        .encoding = REF_VA,
        .width_nbytes = width_nbytes,
        .flags = REF_FLAG_CODE_TARGET,
        .detail = (uint16_t)image_pick(refs->image, TLS_CALLBACKS_32, TLS_CALLBACKS_64),
    };
    struct window array;
    uint64_t offset = 0;
    if (!window_from_rva(refs->image, rva, &array))
        return refset_problem(refs, SOURCE_TLS, rva, NO_FILE_OFFSET,
                              "The TLS callback array at RVA 0x%X has no bytes in the file.", rva);
    for (; range_fits(array.bytes.nbytes, offset, width_nbytes); offset += width_nbytes) {
        if (load_width(array.bytes.bytes + offset, width_nbytes) == 0)
            return refset_extent(refs, rva, (uint32_t)offset + width_nbytes, EXTENT_TLS, SOURCE_TLS);
        if (window_claimed(refs, &array, offset))
            break;
        if (!window_add(refs, &array, offset, spec))
            return false;
    }
    return refset_problem(refs, SOURCE_TLS, rva, array.foff,
                          "The TLS callback array at RVA 0x%X does not end with a zero entry.", rva);
}

bool refs_collect_tls(struct refset *refs)
{
    const struct image *image = refs->image;
    const struct directory *directory = image_directory(image, DIR_TLS);
    uint32_t nbytes = image_pick(image, TLS_DIRECTORY_NBYTES_32, TLS_DIRECTORY_NBYTES_64);
    struct window table;
    if (!directory)
        return true;
    if (!window_at_rva(image, directory->rva, nbytes, &table))
        return refset_problem(refs, SOURCE_TLS, directory->rva, NO_FILE_OFFSET,
                              "The TLS directory at RVA 0x%X has no bytes in the file.", directory->rva);
    const struct {
        uint16_t offset;
        uint8_t flags;
    } fields[] = {
        {(uint16_t)image_pick(image, TLS_START_32, TLS_START_64), 0},
        {(uint16_t)image_pick(image, TLS_END_32, TLS_END_64), 0},
        {(uint16_t)image_pick(image, TLS_INDEX_32, TLS_INDEX_64), REF_FLAG_LOADER_WRITES},
        {(uint16_t)image_pick(image, TLS_CALLBACKS_32, TLS_CALLBACKS_64), 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct ref_spec spec = {.source = SOURCE_TLS,
                                .encoding = REF_VA,
                                .width_nbytes = image_pointer_nbytes(image),
                                .flags = fields[i].flags,
                                .detail = fields[i].offset};
        if (!window_add(refs, &table, fields[i].offset, spec))
            return false;
    }
    uint64_t callbacks_va =
        load_width(table.bytes.bytes + image_pick(image, TLS_CALLBACKS_32, TLS_CALLBACKS_64),
                   image_pointer_nbytes(image));
    uint32_t callbacks_rva;
    if (!refset_extent(refs, table.rva, nbytes, EXTENT_TLS, SOURCE_TLS))
        return false;
    if (callbacks_va == 0)
        return true;
    if (!image_va_to_rva(image, callbacks_va, &callbacks_rva))
        return refset_problem(
            refs, SOURCE_TLS, table.rva, table.foff,
            "The TLS callbacks are said to be at address 0x%llX, which is not in the image.",
            (unsigned long long)callbacks_va);
    return collect_callbacks(refs, callbacks_rva);
}
