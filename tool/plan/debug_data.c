/* debug_data.c - see debug_data.h. Source: PE format specification, "Debug Directory". */
#include "plan/debug_data.h"

#include <string.h>

enum { SIGNATURE_RSDS = 0x53445352, SIGNATURE_NB10 = 0x3031424E };

uint32_t debug_entry_count(const struct image *image, uint32_t *foff)
{
    const struct directory *directory = image_directory(image, DIR_DEBUG);
    if (!directory)
        return 0;
    struct span entries = image_run_at_rva(image, directory->rva);
    uint64_t nbytes = entries.nbytes < directory->nbytes ? entries.nbytes : directory->nbytes;
    if (nbytes < DEBUG_ENTRY_NBYTES)
        return 0;
    *foff = (uint32_t)(entries.bytes - image->file.bytes);
    return (uint32_t)(nbytes / DEBUG_ENTRY_NBYTES);
}

/* What holds no address, or only such as are followed. */
static bool may_be_carried(uint32_t type, struct span data)
{
    uint32_t signature = 0;
    switch (type) {
    case DEBUG_TYPE_CODEVIEW:
        return span_u32(data, 0, &signature) && (signature == SIGNATURE_RSDS || signature == SIGNATURE_NB10);
    case DEBUG_TYPE_FPO:
    case DEBUG_TYPE_MISC:
    case DEBUG_TYPE_CLSID:
    case DEBUG_TYPE_VC_FEATURE:
    case DEBUG_TYPE_ILTCG:
    case DEBUG_TYPE_REPRO:
    case DEBUG_TYPE_PDB_CHECKSUM:
    case DEBUG_TYPE_EX_DLLCHARACTERISTICS:
        return true;
    default:
        return false;
    }
}

bool debug_entry_is_dropped(const struct image *image, uint32_t entry_foff)
{
    const uint8_t *entry = image->file.bytes + entry_foff;
    uint32_t nbytes = load_u32(entry + DEBUG_SIZE_OF_DATA),
             foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
    uint32_t rva;
    struct span data;
    if (load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA) != 0 || foff == 0)
        return false;
    if (!span_part(image->file, foff, nbytes, &data))
        return true; /* it is not there: another tool has split it off */
    if (image_foff_to_rva(image, foff, &rva))
        return false;
    return nbytes == 0 || !may_be_carried(load_u32(entry + DEBUG_TYPE), data);
}

bool debug_entry_is_dropped_at(const struct image *image, uint64_t foff)
{
    uint32_t first_foff = 0, count = debug_entry_count(image, &first_foff);
    return foff >= first_foff && (foff - first_foff) % DEBUG_ENTRY_NBYTES == 0 &&
           (foff - first_foff) / DEBUG_ENTRY_NBYTES < count && debug_entry_is_dropped(image, (uint32_t)foff);
}

bool debug_data_is_dropped(const struct image *image, uint64_t foff)
{
    uint32_t at_foff = 0, count = debug_entry_count(image, &at_foff);
    for (uint32_t i = 0; i < count; i++, at_foff += DEBUG_ENTRY_NBYTES) {
        const uint8_t *entry = image->file.bytes + at_foff;
        uint32_t data_foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
        if (foff >= data_foff && foff - data_foff < load_u32(entry + DEBUG_SIZE_OF_DATA) &&
            debug_entry_is_dropped(image, at_foff))
            return true;
    }
    return false;
}

bool section_is_debug(const struct section *section)
{
    const uint32_t rights = SCN_MEM_DISCARDABLE | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_EXECUTE;
    return (section->raw_name[0] == '/' || strncmp(section->raw_name, ".debug", 6) == 0) &&
           (section->characteristics & rights) == (SCN_MEM_DISCARDABLE | SCN_MEM_READ);
}
