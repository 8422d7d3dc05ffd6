/* emit_headers.c - header fields from the model, so that a field that the model misread does not survive
 * unnoticed, and the section table from the layout.
 * Must not: take any address but the layout's. */
#include "emit/emit_internal.h"

static void write_coff(const struct image *image, const struct layout *layout, uint8_t *bytes)
{
    uint8_t *coff = bytes + image->coff_foff;
    store_u16(coff + COFF_MACHINE, image->machine);
    store_u16(coff + COFF_NUMBER_OF_SECTIONS, (uint16_t)layout->section_count);
    store_u32(coff + COFF_TIME_DATE_STAMP, image->time_date_stamp);
    store_u16(coff + COFF_SIZE_OF_OPTIONAL_HEADER, (uint16_t)image->opt_nbytes);
    store_u16(coff + COFF_CHARACTERISTICS, image->coff_characteristics);
}

static void write_optional(const struct image *image, const struct layout *layout, uint8_t *bytes)
{
    uint8_t *opt = bytes + image->opt_foff;
    opt[OPT_MAJOR_LINKER_VERSION] = image->linker_major;
    opt[OPT_MINOR_LINKER_VERSION] = image->linker_minor;
    store_u32(opt + OPT_ADDRESS_OF_ENTRY_POINT, image->entry_rva); /* references write addresses anew */
    store_u32(opt + OPT_BASE_OF_CODE, image->base_of_code_rva);
    if (image->is_64)
        store_u64(opt + OPT_IMAGE_BASE_64, image->image_base_va);
    else
        store_u32(opt + OPT_IMAGE_BASE_32, (uint32_t)image->image_base_va);
    store_u32(opt + OPT_SECTION_ALIGNMENT, layout->section_alignment);
    store_u32(opt + OPT_FILE_ALIGNMENT, layout->file_alignment);
    store_u16(opt + OPT_MAJOR_OS_VERSION, image->os_major);
    store_u16(opt + OPT_MINOR_OS_VERSION, image->os_minor);
    store_u16(opt + OPT_MAJOR_SUBSYSTEM_VERSION, image->subsystem_major);
    store_u16(opt + OPT_MINOR_SUBSYSTEM_VERSION, image->subsystem_minor);
    store_u32(opt + OPT_SIZE_OF_IMAGE, layout->image_nbytes);
    store_u32(opt + OPT_SIZE_OF_HEADERS, layout->headers_nbytes);
    store_u32(opt + OPT_CHECK_SUM, image->stored_checksum);
    store_u16(opt + OPT_SUBSYSTEM, image->subsystem);
    store_u16(opt + OPT_DLL_CHARACTERISTICS, image->dll_characteristics);
}

static void write_section(const struct image *image, const struct layout *layout, uint32_t index,
                          uint8_t *bytes)
{
    const struct new_section *section = &layout->sections[index];
    uint8_t *header = bytes + image->section_table_foff + (size_t)index * SECTION_HEADER_NBYTES;
    memcpy(header + SECTION_NAME, section->name, SECTION_NAME_NBYTES);
    store_u32(header + SECTION_VIRTUAL_SIZE, section->virtual_size);
    store_u32(header + SECTION_VIRTUAL_ADDRESS, section->rva);
    store_u32(header + SECTION_SIZE_OF_RAW_DATA, section->raw_nbytes);
    store_u32(header + SECTION_POINTER_TO_RAW_DATA, section->raw_foff);
    store_u32(header + SECTION_CHARACTERISTICS, section->characteristics);
    if (section->old_section == NO_SECTION)
        return;
    const struct section *old = &image->sections[section->old_section];
    if (layout->moves) /* what object files have, and line numbers: not carried over */
        return;
    store_u32(header + SECTION_POINTER_TO_RELOCATIONS, old->relocations_foff);
    store_u32(header + SECTION_POINTER_TO_LINENUMBERS, old->linenumbers_foff);
    store_u16(header + SECTION_NUMBER_OF_RELOCATIONS, old->relocation_count);
    store_u16(header + SECTION_NUMBER_OF_LINENUMBERS, old->linenumber_count);
}

void emit_headers(const struct emitter *emitter)
{
    const struct image *image = emitter->image;
    write_coff(image, emitter->layout, emitter->bytes);
    write_optional(image, emitter->layout, emitter->bytes);
    for (uint32_t i = 0; i < image->directory_count; i++) {
        uint8_t *entry = emitter->bytes + image->directories[i].entry_foff;
        store_u32(entry + DIRECTORY_RVA, image->directories[i].rva);
        store_u32(entry + DIRECTORY_SIZE, image->directories[i].nbytes);
    }
    for (uint32_t i = 0; i < emitter->layout->section_count; i++)
        write_section(image, emitter->layout, i, emitter->bytes);
}
