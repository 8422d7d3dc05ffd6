/* refs_headers.c - the fields of the DOS, COFF and optional headers that hold addresses or layout sizes.
 * Takes: the image's headers.  Gives: SOURCE_HEADERS references.
 * Not in the inventory, because they hold no address: counts, stamps, alignments, versions and the CheckSum
 * (recomputed), NumberOfSections (derived). Must not: read below the headers. */
#include "refs/refs_sources.h"

/* One field. An offset of NO_FIELD means that this width of image has no such field. */
enum { NO_FIELD = UINT16_MAX };
struct optional_field {
    uint16_t offset_32, offset_64;
    uint8_t encoding;
    uint8_t flags;
    uint16_t detail;
};

static const struct optional_field optional_fields[] = {
    {OPT_SIZE_OF_CODE, OPT_SIZE_OF_CODE, REF_SIZE, 0, DETAIL_SIZE_OF_CODE},
    {OPT_SIZE_OF_INITIALIZED_DATA, OPT_SIZE_OF_INITIALIZED_DATA, REF_SIZE, 0,
     DETAIL_SIZE_OF_INITIALIZED_DATA},
    {OPT_SIZE_OF_UNINITIALIZED_DATA, OPT_SIZE_OF_UNINITIALIZED_DATA, REF_SIZE, 0,
     DETAIL_SIZE_OF_UNINITIALIZED_DATA},
    {OPT_ADDRESS_OF_ENTRY_POINT, OPT_ADDRESS_OF_ENTRY_POINT, REF_RVA, REF_FLAG_CODE_TARGET,
     DETAIL_ENTRY_POINT},
    {OPT_BASE_OF_CODE, OPT_BASE_OF_CODE, REF_RVA, 0, DETAIL_BASE_OF_CODE},
    {OPT_BASE_OF_DATA_32, NO_FIELD, REF_RVA, 0, DETAIL_BASE_OF_DATA},
    {OPT_IMAGE_BASE_32, OPT_IMAGE_BASE_64, REF_VA, 0, DETAIL_IMAGE_BASE},
    {OPT_SIZE_OF_IMAGE, OPT_SIZE_OF_IMAGE, REF_SIZE, 0, DETAIL_SIZE_OF_IMAGE},
    {OPT_SIZE_OF_HEADERS, OPT_SIZE_OF_HEADERS, REF_SIZE, 0, DETAIL_SIZE_OF_HEADERS},
};

static bool add_field(struct refset *refs, uint64_t site_foff, enum ref_encoding encoding,
                      unsigned width_nbytes, uint8_t flags, uint16_t detail)
{
    struct ref_spec spec = {.source = SOURCE_HEADERS,
                            .encoding = encoding,
                            .width_nbytes = width_nbytes,
                            .flags = flags,
                            .detail = detail};
    return refset_add(refs, site_foff, spec);
}

bool refs_collect_headers(struct refset *refs)
{
    const struct image *image = refs->image;
    if (!add_field(refs, DOS_E_LFANEW, REF_FOFF, 4, 0, DETAIL_E_LFANEW) ||
        !add_field(refs, image->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE, REF_FOFF, 4, 0,
                   DETAIL_SYMBOL_TABLE))
        return false;
    for (size_t i = 0; i < sizeof optional_fields / sizeof optional_fields[0]; i++) {
        const struct optional_field *field = &optional_fields[i];
        uint32_t offset = image_pick(image, field->offset_32, field->offset_64);
        if (offset == NO_FIELD)
            continue;
        unsigned width_nbytes = field->encoding == REF_VA ? image_pointer_nbytes(image) : 4;
        if (!add_field(refs, image->opt_foff + offset, (enum ref_encoding)field->encoding, width_nbytes,
                       field->flags, field->detail))
            return false;
    }
    return true;
}
