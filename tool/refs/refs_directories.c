/* refs_directories.c - the data directory entries and the section headers.
 * Takes: the image's directories and sections.  Gives: SOURCE_DIRECTORIES and SOURCE_SECTION_HEADERS.
 * Must not: follow the directories. */
#include "refs/refs_sources.h"

bool refs_collect_directories(struct refset *refs)
{
    const struct image *image = refs->image;
    for (uint32_t number = 0; number < image->directory_count; number++) {
        const struct directory *directory = &image->directories[number];
        if (directory->entry_foff == 0)
            continue;
        bool is_foff = number == DIR_SECURITY;
        struct ref_spec address = {.source = SOURCE_DIRECTORIES,
                                   .encoding = is_foff ? REF_FOFF : REF_RVA,
                                   .width_nbytes = 4,
                                   .detail = (uint16_t)number};
        struct ref_spec size = address;
        size.encoding = REF_SIZE;
        size.base_rva = is_foff ? 0 : directory->rva;
        if (!refset_add(refs, directory->entry_foff + DIRECTORY_RVA, address) ||
            !refset_add(refs, directory->entry_foff + DIRECTORY_SIZE, size))
            return false;
        bool is_reserved = number == DIR_ARCHITECTURE || number == DIR_RESERVED;
        if (is_reserved && directory->rva != 0 &&
            !refset_problem(refs, SOURCE_DIRECTORIES, directory->rva, directory->entry_foff,
                            "Data directory %u is reserved and must be 0; what RVA 0x%X holds is not known.",
                            number, directory->rva))
            return false;
    }
    return true;
}

bool refs_collect_section_headers(struct refset *refs)
{
    static const struct {
        uint8_t offset, encoding;
    } fields[] = {
        {SECTION_VIRTUAL_SIZE, REF_SIZE},           {SECTION_VIRTUAL_ADDRESS, REF_RVA},
        {SECTION_SIZE_OF_RAW_DATA, REF_SIZE},       {SECTION_POINTER_TO_RAW_DATA, REF_FOFF},
        {SECTION_POINTER_TO_RELOCATIONS, REF_FOFF}, {SECTION_POINTER_TO_LINENUMBERS, REF_FOFF},
    };
    const struct image *image = refs->image;
    for (uint32_t index = 0; index < image->section_count; index++) {
        const struct section *section = &image->sections[index];
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            enum ref_encoding encoding = (enum ref_encoding)fields[i].encoding;
            struct ref_spec spec = {.source = SOURCE_SECTION_HEADERS,
                                    .encoding = encoding,
                                    .width_nbytes = 4,
                                    .base_rva = encoding == REF_SIZE ? section->rva : 0,
                                    .detail = (uint16_t)(index < UINT16_MAX ? index : UINT16_MAX)};
            if (!refset_add(refs, section->header_foff + fields[i].offset, spec))
                return false;
        }
    }
    return true;
}
