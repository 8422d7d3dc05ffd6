/* verify_image.c - reads the headers of one image for the verifier.
 * Takes: bytes.  Gives: struct verify_image.  Must not: trust a count or an offset before it is checked. */
#include "verify/verify_image.h"

#include <stdlib.h>

struct header_reader {
    struct verify_image *image;
    const char **reason;
    uint64_t *foff;
};

static bool unreadable(const struct header_reader *reader, uint64_t foff, const char *reason)
{
    *reader->reason = reason;
    *reader->foff = foff;
    return false;
}

static bool read_dos_and_coff(const struct header_reader *reader)
{
    struct verify_image *image = reader->image;
    uint16_t magic;
    uint32_t lfanew, signature;
    if (!span_u16(image->file, DOS_E_MAGIC, &magic) || magic != DOS_MAGIC)
        return unreadable(reader, 0, "The file does not begin with MZ.");
    if (!span_u32(image->file, DOS_E_LFANEW, &lfanew))
        return unreadable(reader, 0, "The file ends inside the DOS header.");
    image->pe_foff = lfanew;
    if (!span_u32(image->file, lfanew, &signature) || signature != PE_SIGNATURE)
        return unreadable(reader, DOS_E_LFANEW, "e_lfanew does not lead to a PE signature.");
    image->coff_foff = image->pe_foff + PE_SIGNATURE_NBYTES;
    struct span coff;
    if (!span_part(image->file, image->coff_foff, COFF_HEADER_NBYTES, &coff))
        return unreadable(reader, image->coff_foff, "The file ends inside the COFF file header.");
    image->machine = load_u16(coff.bytes + COFF_MACHINE);
    image->coff_characteristics = load_u16(coff.bytes + COFF_CHARACTERISTICS);
    image->section_count = load_u16(coff.bytes + COFF_NUMBER_OF_SECTIONS);
    image->opt_nbytes = load_u16(coff.bytes + COFF_SIZE_OF_OPTIONAL_HEADER);
    image->opt_foff = image->coff_foff + COFF_HEADER_NBYTES;
    image->section_table_foff = image->opt_foff + image->opt_nbytes;
    image->section_table_end_foff =
        image->section_table_foff + (uint64_t)image->section_count * SECTION_HEADER_NBYTES;
    return true;
}

static bool read_optional(const struct header_reader *reader)
{
    struct verify_image *image = reader->image;
    struct span opt;
    if (!span_part(image->file, image->opt_foff, image->opt_nbytes, &opt))
        return unreadable(reader, image->opt_foff, "The file ends inside the optional header.");
    uint16_t magic = 0;
    span_u16(opt, OPT_MAGIC, &magic);
    if (magic != OPT_MAGIC_32 && magic != OPT_MAGIC_64)
        return unreadable(reader, image->opt_foff, "The optional header's Magic is neither PE32 nor PE32+.");
    image->is_64 = magic == OPT_MAGIC_64;
    unsigned directories_at = image->is_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32;
    if (opt.nbytes < directories_at)
        return unreadable(reader, image->opt_foff, "SizeOfOptionalHeader is too small for its fixed fields.");
    image->base_va =
        image->is_64 ? load_u64(opt.bytes + OPT_IMAGE_BASE_64) : load_u32(opt.bytes + OPT_IMAGE_BASE_32);
    image->entry_rva = load_u32(opt.bytes + OPT_ADDRESS_OF_ENTRY_POINT);
    image->section_alignment = load_u32(opt.bytes + OPT_SECTION_ALIGNMENT);
    image->file_alignment = load_u32(opt.bytes + OPT_FILE_ALIGNMENT);
    image->image_nbytes = load_u32(opt.bytes + OPT_SIZE_OF_IMAGE);
    image->headers_nbytes = load_u32(opt.bytes + OPT_SIZE_OF_HEADERS);
    image->stored_checksum = load_u32(opt.bytes + OPT_CHECK_SUM);
    image->checksum_foff = image->opt_foff + OPT_CHECK_SUM;
    image->directories_foff = image->opt_foff + directories_at;

    uint32_t count = load_u32(opt.bytes + directories_at - 4); /* NumberOfRvaAndSizes */
    uint32_t room_count = (uint32_t)(opt.nbytes - directories_at) / DIRECTORY_ENTRY_NBYTES;
    count = count < room_count ? count : room_count;
    image->directory_count = count < DIR_COUNT ? count : DIR_COUNT;
    for (uint32_t i = 0; i < image->directory_count; i++) {
        const uint8_t *entry = opt.bytes + directories_at + (size_t)i * DIRECTORY_ENTRY_NBYTES;
        image->directories[i].rva = load_u32(entry + DIRECTORY_RVA);
        image->directories[i].nbytes = load_u32(entry + DIRECTORY_SIZE);
    }
    return true;
}

static void read_section_header(const uint8_t *header, struct verify_section *section)
{
    for (size_t i = 0; i < SECTION_NAME_NBYTES && header[SECTION_NAME + i] != 0; i++) {
        uint8_t byte = header[SECTION_NAME + i];
        section->name[i] = byte >= 0x20 && byte < 0x7F ? (char)byte : '?';
    }
    section->virtual_nbytes = load_u32(header + SECTION_VIRTUAL_SIZE);
    section->rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
    section->raw_nbytes = load_u32(header + SECTION_SIZE_OF_RAW_DATA);
    section->raw_foff = load_u32(header + SECTION_POINTER_TO_RAW_DATA);
    section->characteristics = load_u32(header + SECTION_CHARACTERISTICS);
}

static int compare_by_rva(const void *left, const void *right)
{
    const struct verify_section *a = *(const struct verify_section *const *)left;
    const struct verify_section *b = *(const struct verify_section *const *)right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Gives each section the memory up to the next one, so that an RVA never belongs to two sections. */
static void divide_memory(struct verify_image *image)
{
    image->is_ordered = true;
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct verify_section *section = &image->sections[image->by_rva[i]->index];
        uint64_t limit_rva =
            i + 1 < image->section_count ? image->by_rva[i + 1]->rva : (uint64_t)UINT32_MAX + 1;
        uint32_t stated_nbytes = section->virtual_nbytes ? section->virtual_nbytes : section->raw_nbytes;
        if (section->index != i || (i > 0 && image->by_rva[i - 1]->rva == section->rva) ||
            stated_nbytes > limit_rva - section->rva)
            image->is_ordered = false;
        uint64_t memory_nbytes =
            section->virtual_nbytes > section->raw_nbytes ? section->virtual_nbytes : section->raw_nbytes;
        if (memory_nbytes > limit_rva - section->rva)
            memory_nbytes = limit_rva - section->rva;
        section->memory_nbytes = memory_nbytes > UINT32_MAX ? UINT32_MAX : (uint32_t)memory_nbytes;
        uint64_t file_nbytes =
            section->raw_nbytes < section->memory_nbytes ? section->raw_nbytes : section->memory_nbytes;
        if (section->raw_foff >= image->file.nbytes)
            file_nbytes = 0;
        else if (file_nbytes > image->file.nbytes - section->raw_foff)
            file_nbytes = image->file.nbytes - section->raw_foff;
        if (file_nbytes != 0)
            span_part(image->file, section->raw_foff, file_nbytes, &section->bytes);
    }
}

static bool read_sections(const struct header_reader *reader, struct arena *arena)
{
    struct verify_image *image = reader->image;
    struct span table;
    if (!span_part(image->file, image->section_table_foff,
                   image->section_table_end_foff - image->section_table_foff, &table))
        return unreadable(reader, image->section_table_foff, "The file ends inside the section table.");
    image->sections = arena_array(arena, image->section_count, sizeof *image->sections);
    image->by_rva = arena_array(arena, image->section_count, sizeof *image->by_rva);
    image->near_place = arena_alloc(arena, sizeof *image->near_place);
    if (!image->sections || !image->by_rva || !image->near_place)
        return unreadable(reader, 0, NULL);
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct verify_section *section = &image->sections[i];
        section->index = i;
        section->header_foff = image->section_table_foff + (uint64_t)i * SECTION_HEADER_NBYTES;
        read_section_header(table.bytes + (size_t)i * SECTION_HEADER_NBYTES, section);
        image->by_rva[i] = section;
    }
    if (image->section_count > 1)
        qsort(image->by_rva, image->section_count, sizeof *image->by_rva, compare_by_rva);
    divide_memory(image);
    return true;
}

bool verify_image_read(struct span file, struct arena *arena, struct verify_image *image, const char **reason,
                       uint64_t *foff)
{
    *image = (struct verify_image){.file = file};
    *reason = NULL;
    *foff = UINT64_MAX;
    struct header_reader reader = {image, reason, foff};
    return read_dos_and_coff(&reader) && read_optional(&reader) && read_sections(&reader, arena);
}

/* Is this the last place in by_rva whose section does not begin behind rva? */
static bool is_place_of(const struct verify_image *image, uint32_t place, uint32_t rva)
{
    return place < image->section_count && image->by_rva[place]->rva <= rva &&
           (place + 1 == image->section_count || image->by_rva[place + 1]->rva > rva);
}

static uint32_t search_place(const struct verify_image *image, uint32_t rva)
{
    uint32_t low = 0, high = image->section_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (image->by_rva[middle]->rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low != 0 ? low - 1 : UINT32_MAX;
}

bool verify_is_discardable_init(const struct verify_section *section)
{
    return strcmp(section->name, "INIT") == 0 && (section->characteristics & SCN_MEM_DISCARDABLE) != 0;
}

uint32_t verify_used_nbytes(const struct verify_section *section)
{
    return section->virtual_nbytes ? section->virtual_nbytes : section->memory_nbytes;
}

bool verify_gave_up_execute(const struct verify_section *old_section, const struct verify_section *section)
{
    uint32_t had = old_section->characteristics;
    return (had & SCN_MEM_WRITE) && (had & SCN_MEM_EXECUTE) &&
           (had ^ section->characteristics) == SCN_MEM_EXECUTE;
}

const struct verify_section *verify_section_at(const struct verify_image *image, uint32_t rva)
{
    uint32_t place = *image->near_place;
    if (!is_place_of(image, place, rva)) {
        place = search_place(image, rva);
        if (place == UINT32_MAX)
            return NULL;
        *image->near_place = place;
    }
    const struct verify_section *section = image->by_rva[place];
    return rva - section->rva < section->memory_nbytes ? section : NULL;
}

const struct verify_section *verify_section_at_foff(const struct verify_image *image, uint64_t foff)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        if (foff >= section->raw_foff && foff - section->raw_foff < section->raw_nbytes)
            return section;
    }
    return NULL;
}

struct span verify_bytes_at(const struct verify_image *image, uint64_t rva)
{
    struct span bytes = {NULL, 0};
    if (rva > UINT32_MAX)
        return bytes;
    const struct verify_section *section = verify_section_at(image, (uint32_t)rva);
    if (section) {
        uint32_t at = (uint32_t)rva - section->rva;
        if (at < section->bytes.nbytes)
            span_part(section->bytes, at, section->bytes.nbytes - at, &bytes);
    } else if (rva < image->headers_nbytes && rva < image->file.nbytes) {
        uint64_t end_foff =
            image->headers_nbytes < image->file.nbytes ? image->headers_nbytes : image->file.nbytes;
        span_part(image->file, rva, end_foff - rva, &bytes);
    }
    return bytes;
}

bool verify_rva_to_foff(const struct verify_image *image, uint64_t rva, uint64_t nbytes, uint64_t *foff)
{
    struct span bytes = verify_bytes_at(image, rva);
    if (!bytes.bytes || nbytes > bytes.nbytes)
        return false;
    *foff = (uint64_t)(bytes.bytes - image->file.bytes);
    return true;
}

uint32_t verify_foff_to_rva(const struct verify_image *image, uint64_t foff)
{
    const struct verify_section *section = verify_section_at_foff(image, foff);
    if (section) {
        uint64_t at = foff - section->raw_foff;
        return at < section->bytes.nbytes ? section->rva + (uint32_t)at : UINT32_MAX;
    }
    return foff < image->headers_nbytes ? (uint32_t)foff : UINT32_MAX;
}

bool verify_read_at(const struct verify_image *image, uint64_t rva, unsigned nbytes, uint64_t *value)
{
    struct span bytes = verify_bytes_at(image, rva);
    if (nbytes > bytes.nbytes)
        return false;
    *value = load_width(bytes.bytes, nbytes);
    return true;
}
