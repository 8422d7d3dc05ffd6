/* image.c - reads the headers of an image.
 * Takes: bytes of a file.  Gives: struct image, whose section ranges are inside the file and inside
 * SizeOfImage. Must not: judge what a memory manager minds (judge.c). */
#include "image.h"

#define PE_FOFF_AT 0x3c
#define FILE_HEADER_NBYTES 24 /* with the signature */
#define SECTION_HEADER_NBYTES 40
#define LARGEST_IMAGE_NBYTES 0x10000000u

#if IS_64
#define MACHINE 0x8664
#define MAGIC 0x20b
#define BASE_OFFSET 24
#define DIRECTORIES_OFFSET 112
#else
#define MACHINE 0x14c
#define MAGIC 0x10b
#define BASE_OFFSET 28
#define DIRECTORIES_OFFSET 96
#endif
#define RELOCATIONS_STRIPPED 0x1
#define CHARACTERISTICS_GUARD 0x4000

static bool fits(size_t from, size_t nbytes, size_t room)
{
    return from <= room && nbytes <= room - from;
}

static const char *read_section(struct image *image, const uint8_t *header)
{
    struct section *section = &image->sections[image->section_count++];
    const uint32_t stored_nbytes = get32(header + 8);

    memcpy(section->name, header, 8);
    section->name[8] = '\0';
    section->rva = get32(header + 12);
    section->raw_nbytes = get32(header + 16);
    section->raw_foff = get32(header + 20);
    section->flags = get32(header + 36);
    section->nbytes = stored_nbytes > 0 ? stored_nbytes : section->raw_nbytes;
    if (section->nbytes > LARGEST_IMAGE_NBYTES || !fits(section->rva, section->nbytes, image->nbytes))
        return "a section ends behind the image";
    if (!image->is_low_aligned) {
        section->nbytes = (uint32_t)page_up(section->nbytes);
        if (section->raw_nbytes > section->nbytes)
            section->raw_nbytes = section->nbytes;
    } else if (section->raw_nbytes > 0 && section->raw_foff != section->rva) {
        return "a low-aligned section is not stored at its RVA";
    }
    if (section->raw_nbytes > 0 && !fits(section->raw_foff, section->raw_nbytes, image->file_nbytes))
        return "a section ends behind the file";
    return NULL;
}

const char *image_read(const uint8_t *file, size_t nbytes, struct image *image)
{
    memset(image, 0, sizeof(*image));
    image->file = file;
    image->file_nbytes = nbytes;
    if (!fits(PE_FOFF_AT, 4, nbytes) || get16(file) != 0x5a4d)
        return "not an image";
    const uint32_t pe_foff = get32(file + PE_FOFF_AT);
    if (!fits(pe_foff, FILE_HEADER_NBYTES + DIRECTORIES_OFFSET, nbytes) || get32(file + pe_foff) != 0x4550)
        return "not an image";
    const uint8_t *const header = file + pe_foff, *const optional = header + FILE_HEADER_NBYTES;
    if (get16(header + 4) != MACHINE || get16(optional) != MAGIC)
        return "not for this machine";

    image->base_field_rva = pe_foff + FILE_HEADER_NBYTES + BASE_OFFSET;
    image->own_base = get_pointer(optional + BASE_OFFSET);
    image->entry_rva = get32(optional + 16);
    image->alignment = get32(optional + 32);
    image->nbytes = get32(optional + 56);
    image->stored_headers_nbytes = get32(optional + 60);
    image->is_low_aligned = image->alignment < PAGE_NBYTES;
    image->is_fixed = (get16(header + 22) & RELOCATIONS_STRIPPED) != 0;
    image->checks_calls = (get16(optional + 70) & CHARACTERISTICS_GUARD) != 0;
    if (image->nbytes == 0 || image->nbytes > LARGEST_IMAGE_NBYTES)
        return "SizeOfImage is not that of a driver";
    image->headers_nbytes = image->stored_headers_nbytes;
    if (image->headers_nbytes > image->nbytes || image->headers_nbytes > nbytes)
        return "the headers end behind the file";

    const uint32_t directory_count = get32(optional + DIRECTORIES_OFFSET - 4);
    for (unsigned i = 0; i < DIRECTORY_COUNT && i < directory_count; i++) {
        const size_t foff = pe_foff + FILE_HEADER_NBYTES + DIRECTORIES_OFFSET + 8 * (size_t)i;

        if (!fits(foff, 8, nbytes))
            return "the directories end behind the file";
        image->directories[i] = (struct directory){get32(file + foff), get32(file + foff + 4)};
        if (i != 4 && !fits(image->directories[i].rva, image->directories[i].nbytes, image->nbytes))
            return "a directory ends behind the image";
    }
    const size_t sections_foff = pe_foff + FILE_HEADER_NBYTES + (size_t)get16(header + 20);
    const unsigned section_count = get16(header + 6);
    if (section_count > SECTION_COUNT_LIMIT ||
        !fits(sections_foff, SECTION_HEADER_NBYTES * (size_t)section_count, nbytes))
        return "too many sections";
    for (unsigned i = 0; i < section_count; i++) {
        const char *why = read_section(image, file + sections_foff + SECTION_HEADER_NBYTES * (size_t)i);

        if (why)
            return why;
    }
    return NULL;
}

const struct section *image_section_at(const struct image *image, uint32_t rva)
{
    for (unsigned i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];

        if (rva >= section->rva && rva - section->rva < section->nbytes)
            return section;
    }
    return NULL;
}
