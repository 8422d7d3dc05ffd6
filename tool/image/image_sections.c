/* image_sections.c - the section table and the COFF string table that long section names live in.
 * Takes: the headers.  Gives: struct section for each header.  Must not: look into section contents.
 * Source of the rules: PE format specification, "Section Table"; what the loader makes of odd sizes:
 * VirtualSize 0 means SizeOfRawData, PointerToRawData is rounded down to 512 in page-aligned images. */
#include "image/image_stages.h"

#include <stdlib.h>

enum { LOADER_RAW_ALIGNMENT_NBYTES = 512, LONGEST_NAME_NBYTES = 256 };

/* The string table follows the symbols; its first four bytes are its own size. A damaged one is noted
 * and treated as absent: it only names things for people. */
static bool read_string_table(struct image *image)
{
    if (image->symbol_table_foff == 0) {
        image->symbol_count = 0; /* whatever the header counts: there is no table */
        return true;
    }
    uint64_t symbols_nbytes = (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES;
    if (!range_fits(image->file.nbytes, image->symbol_table_foff, symbols_nbytes)) {
        bool noted =
            image_note(image, HVCI9004_MALFORMED_TABLE, image->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE,
                       "The COFF symbol table (%u symbols at file offset 0x%X) runs past the end of the "
                       "file and is not read.",
                       image->symbol_count, image->symbol_table_foff);
        image->symbol_table_foff = image->symbol_count = 0;
        return noted;
    }
    uint64_t strings_foff = image->symbol_table_foff + symbols_nbytes;
    uint32_t strings_nbytes;
    if (!span_u32(image->file, strings_foff, &strings_nbytes))
        return true;
    if (strings_nbytes < 4 || !range_fits(image->file.nbytes, strings_foff, strings_nbytes))
        return image_note(
            image, HVCI9004_MALFORMED_TABLE, strings_foff,
            "The COFF string table at file offset 0x%llX gives its size as 0x%X, which does not fit "
            "the file; long section names stay as they are stored.",
            (unsigned long long)strings_foff, strings_nbytes);
    image->string_table_foff = (uint32_t)strings_foff;
    image->string_table_nbytes = strings_nbytes;
    return true;
}

/* "/123" names the string at byte 123 of the string table. */
static const char *section_name(struct image *image, const uint8_t *raw_name)
{
    size_t length = 0;
    while (length < SECTION_NAME_NBYTES && raw_name[length] != 0)
        length++;
    if (length > 1 && raw_name[0] == '/' && image->string_table_nbytes != 0) {
        uint32_t offset = 0;
        size_t i = 1;
        while (i < length && raw_name[i] >= '0' && raw_name[i] <= '9')
            offset = offset * 10 + (uint32_t)(raw_name[i++] - '0'); /* at most 7 digits: cannot overflow */
        struct span strings;
        size_t long_length;
        if (i == length &&
            span_part(image->file, image->string_table_foff, image->string_table_nbytes, &strings) &&
            span_cstr(strings, offset, LONGEST_NAME_NBYTES, &long_length))
            return image_printable(image->arena, strings.bytes + offset, long_length);
    }
    return image_printable(image->arena, raw_name, length);
}

static bool read_section(struct image *image, uint32_t index, struct finding *error)
{
    struct section *s = &image->sections[index];
    s->index = index;
    s->header_foff = image->section_table_foff + index * SECTION_HEADER_NBYTES;
    const uint8_t *header = image->file.bytes + s->header_foff;
    memcpy(s->raw_name, header + SECTION_NAME, SECTION_NAME_NBYTES);
    s->name = section_name(image, header + SECTION_NAME);
    if (!s->name)
        return image_out_of_memory(image, error);
    s->virtual_size = load_u32(header + SECTION_VIRTUAL_SIZE);
    s->rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
    s->raw_nbytes = load_u32(header + SECTION_SIZE_OF_RAW_DATA);
    s->stored_raw_foff = load_u32(header + SECTION_POINTER_TO_RAW_DATA);
    s->relocations_foff = load_u32(header + SECTION_POINTER_TO_RELOCATIONS);
    s->linenumbers_foff = load_u32(header + SECTION_POINTER_TO_LINENUMBERS);
    s->relocation_count = load_u16(header + SECTION_NUMBER_OF_RELOCATIONS);
    s->linenumber_count = load_u16(header + SECTION_NUMBER_OF_LINENUMBERS);
    s->characteristics = load_u32(header + SECTION_CHARACTERISTICS);
    s->memory_nbytes = s->virtual_size != 0 ? s->virtual_size : s->raw_nbytes;

    uint32_t memory_pages_nbytes;
    if (!round_up_u32(s->memory_nbytes, PAGE_NBYTES, &memory_pages_nbytes) ||
        !range_fits(UINT32_MAX, s->rva, memory_pages_nbytes))
        return image_refuse(image, error, HVCI9003_MALFORMED_HEADER, s->header_foff + SECTION_VIRTUAL_SIZE,
                            "Windows refuses such an image; link it again.",
                            "Section %s (RVA 0x%X, 0x%X bytes) runs past the 4 GiB that an image may span.",
                            s->name, s->rva, s->memory_nbytes);

    /* PointerToRawData 0 means: nothing in the file, whatever the size says (the loader's reading). */
    if (s->stored_raw_foff == 0 || s->raw_nbytes == 0)
        return true;
    if (!range_fits(image->file.nbytes, s->stored_raw_foff, s->raw_nbytes))
        return image_refuse(image, error, HVCI9002_TRUNCATED, s->header_foff + SECTION_POINTER_TO_RAW_DATA,
                            "Check that the file was copied whole; link it again if in doubt.",
                            "Section %s has 0x%X bytes at file offset 0x%X, but the file ends at 0x%zX.",
                            s->name, s->raw_nbytes, s->stored_raw_foff, image->file.nbytes);
    s->raw_foff = s->stored_raw_foff;
    if (!image->is_flat)
        s->raw_foff &= ~(uint32_t)(LOADER_RAW_ALIGNMENT_NBYTES - 1);
    s->file_nbytes = s->stored_raw_foff + s->raw_nbytes - s->raw_foff;
    /* Page-aligned sections show their last page whole; others end where the next may begin. */
    uint32_t seen_nbytes = memory_pages_nbytes;
    if (image->is_flat && !round_up_u32(s->memory_nbytes, image->section_alignment, &seen_nbytes))
        seen_nbytes = s->memory_nbytes;
    if (s->file_nbytes > seen_nbytes)
        s->file_nbytes = seen_nbytes;
    if (image->is_flat && s->stored_raw_foff != s->rva)
        return image_note(image, HVCI9004_MALFORMED_TABLE, s->header_foff + SECTION_POINTER_TO_RAW_DATA,
                          "Section %s lies at RVA 0x%X but at file offset 0x%X; below page alignment the two "
                          "must be equal.",
                          s->name, s->rva, s->stored_raw_foff) ||
               image_out_of_memory(image, error);
    return true;
}

static int by_rva(const void *a, const void *b)
{
    const struct section *left = *(const struct section *const *)a;
    const struct section *right = *(const struct section *const *)b;
    if (left->rva != right->rva)
        return left->rva < right->rva ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

/* Overlap would make every RVA ambiguous, so it is refused; a wrong order is only noted here, and whether
 * Windows loads it is asked by loader_rules.c. */
static bool order_sections(struct image *image, struct finding *error)
{
    uint32_t count = image->section_count;
    image->sections_by_rva = arena_array(image->arena, count, sizeof *image->sections_by_rva);
    if (!image->sections_by_rva)
        return image_out_of_memory(image, error);
    bool ascending = true;
    for (uint32_t i = 0; i < count; i++) {
        ascending = ascending && (i == 0 || image->sections[i - 1].rva < image->sections[i].rva);
        if (image->sections[i].memory_nbytes != 0)
            image->sections_by_rva[image->mapped_section_count++] = &image->sections[i];
    }
    if (!ascending && !image_note(image, HVCI9004_MALFORMED_TABLE, image->section_table_foff,
                                  "The sections are not in ascending order of RVA."))
        return image_out_of_memory(image, error);
    if (image->mapped_section_count > 1)
        qsort(image->sections_by_rva, image->mapped_section_count, sizeof *image->sections_by_rva, by_rva);
    for (uint32_t i = 1; i < image->mapped_section_count; i++) {
        const struct section *before = image->sections_by_rva[i - 1];
        const struct section *s = image->sections_by_rva[i];
        if (s->rva - before->rva < before->memory_nbytes)
            return image_refuse(image, error, HVCI9003_MALFORMED_HEADER,
                                s->header_foff + SECTION_VIRTUAL_ADDRESS,
                                "Windows refuses such an image; link it again.",
                                "Section %s at RVA 0x%X overlaps section %s (RVA 0x%X, 0x%X bytes).", s->name,
                                s->rva, before->name, before->rva, before->memory_nbytes);
        /* Raw data may fill the last page of its section, but not the next section that begins inside it. */
        if (image->sections[before->index].file_nbytes > s->rva - before->rva)
            image->sections[before->index].file_nbytes = s->rva - before->rva;
    }
    return true;
}

bool image_read_sections(struct image *image, struct finding *error)
{
    if (!read_string_table(image))
        return image_out_of_memory(image, error);
    image->sections = arena_array(image->arena, image->section_count, sizeof *image->sections);
    if (!image->sections)
        return image_out_of_memory(image, error);
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!read_section(image, i, error))
            return false;
    return order_sections(image, error);
}
