/* image_headers.c - DOS header, PE signature, COFF header, optional header, data directories.
 * Takes: the bytes.  Gives: the fixed fields of struct image.  Must not: look at sections.
 * Source of the rules: PE format specification, "MS-DOS Stub" to "Optional Header Data Directories". */
#include "image/image_stages.h"

static const char whole_file_cure[] =
    "Check that the file was copied whole and is the linker's output; link it again if in doubt.";

static bool read_dos_header(struct image *image, struct finding *error)
{
    uint16_t magic;
    if (!span_u16(image->file, DOS_E_MAGIC, &magic) || magic != DOS_MAGIC)
        return image_refuse(image, error, HVCI9001_NOT_A_PE_IMAGE, 0,
                            "Name a linked Windows image (.sys, .dll, .exe).",
                            "The file does not begin with \"MZ\", so it is not a Windows image.");
    if (!span_u32(image->file, DOS_E_LFANEW, &image->pe_foff))
        return image_refuse(image, error, HVCI9002_TRUNCATED, image->file.nbytes, whole_file_cure,
                            "The file ends inside its DOS header (%zu of 64 bytes).", image->file.nbytes);
    return true;
}

static bool read_coff_header(struct image *image, struct finding *error)
{
    uint32_t signature;
    if (!span_u32(image->file, image->pe_foff, &signature))
        return image_refuse(image, error, HVCI9001_NOT_A_PE_IMAGE, DOS_E_LFANEW, whole_file_cure,
                            "The PE header would be at file offset 0x%X, past the end of the file.",
                            image->pe_foff);
    if (signature != PE_SIGNATURE)
        return image_refuse(image, error, HVCI9001_NOT_A_PE_IMAGE, image->pe_foff,
                            "Name a linked Windows image (.sys, .dll, .exe).",
                            "There is no PE signature at file offset 0x%X: this is a DOS or 16-bit program.",
                            image->pe_foff);
    /* No overflow: a 4-byte read at pe_foff has succeeded in a file below 4 GiB. */
    image->coff_foff = image->pe_foff + PE_SIGNATURE_NBYTES;
    struct span coff;
    if (!span_part(image->file, image->coff_foff, COFF_HEADER_NBYTES, &coff))
        return image_refuse(image, error, HVCI9002_TRUNCATED, image->file.nbytes, whole_file_cure,
                            "The file ends inside its COFF header at file offset 0x%X.", image->coff_foff);
    image->machine = load_u16(coff.bytes + COFF_MACHINE);
    image->section_count = load_u16(coff.bytes + COFF_NUMBER_OF_SECTIONS);
    image->time_date_stamp = load_u32(coff.bytes + COFF_TIME_DATE_STAMP);
    image->symbol_table_foff = load_u32(coff.bytes + COFF_POINTER_TO_SYMBOL_TABLE);
    image->symbol_count = load_u32(coff.bytes + COFF_NUMBER_OF_SYMBOLS);
    image->opt_nbytes = load_u16(coff.bytes + COFF_SIZE_OF_OPTIONAL_HEADER);
    image->coff_characteristics = load_u16(coff.bytes + COFF_CHARACTERISTICS);
    image->opt_foff = image->coff_foff + COFF_HEADER_NBYTES;
    return true;
}

static bool read_optional_header(struct image *image, struct finding *error)
{
    struct span opt;
    if (!span_part(image->file, image->opt_foff, image->opt_nbytes, &opt))
        return image_refuse(image, error, HVCI9002_TRUNCATED, image->file.nbytes, whole_file_cure,
                            "The file ends inside its optional header (0x%X bytes at file offset 0x%X).",
                            image->opt_nbytes, image->opt_foff);
    uint16_t magic;
    if (!span_u16(opt, OPT_MAGIC, &magic))
        return image_refuse(image, error, HVCI9003_MALFORMED_HEADER, image->coff_foff,
                            "Name a linked image; object files have no optional header.",
                            "The file has no optional header: it is an object file, not an image.");
    if (magic != OPT_MAGIC_32 && magic != OPT_MAGIC_64)
        return image_refuse(image, error, HVCI9003_MALFORMED_HEADER, image->opt_foff,
                            "Windows loads PE32 (0x10B) and PE32+ (0x20B) images only.",
                            "The optional header has the unknown magic number 0x%X.", magic);
    image->is_64 = magic == OPT_MAGIC_64;
    uint32_t fixed_nbytes = image_pick(image, OPT_DIRECTORIES_32, OPT_DIRECTORIES_64);
    if (opt.nbytes < fixed_nbytes)
        return image_refuse(image, error, HVCI9003_MALFORMED_HEADER,
                            image->coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER,
                            "Windows refuses such an image; link it again.",
                            "SizeOfOptionalHeader is 0x%X; the fixed fields alone need 0x%X bytes.",
                            image->opt_nbytes, fixed_nbytes);

    const uint8_t *p = opt.bytes;
    image->linker_major = p[OPT_MAJOR_LINKER_VERSION];
    image->linker_minor = p[OPT_MINOR_LINKER_VERSION];
    image->entry_rva = load_u32(p + OPT_ADDRESS_OF_ENTRY_POINT);
    image->base_of_code_rva = load_u32(p + OPT_BASE_OF_CODE);
    image->image_base_va = image->is_64 ? load_u64(p + OPT_IMAGE_BASE_64) : load_u32(p + OPT_IMAGE_BASE_32);
    image->section_alignment = load_u32(p + OPT_SECTION_ALIGNMENT);
    image->file_alignment = load_u32(p + OPT_FILE_ALIGNMENT);
    image->os_major = load_u16(p + OPT_MAJOR_OS_VERSION);
    image->os_minor = load_u16(p + OPT_MINOR_OS_VERSION);
    image->subsystem_major = load_u16(p + OPT_MAJOR_SUBSYSTEM_VERSION);
    image->subsystem_minor = load_u16(p + OPT_MINOR_SUBSYSTEM_VERSION);
    image->image_nbytes = load_u32(p + OPT_SIZE_OF_IMAGE);
    image->headers_nbytes = load_u32(p + OPT_SIZE_OF_HEADERS);
    image->stored_checksum = load_u32(p + OPT_CHECK_SUM);
    image->subsystem = load_u16(p + OPT_SUBSYSTEM);
    image->dll_characteristics = load_u16(p + OPT_DLL_CHARACTERISTICS);
    image->is_flat = image->section_alignment < PAGE_NBYTES;

    uint32_t align = image->section_alignment;
    if (align == 0 || (align & (align - 1)) != 0)
        return image_refuse(image, error, HVCI9003_MALFORMED_HEADER, image->opt_foff + OPT_SECTION_ALIGNMENT,
                            "Windows refuses such an image; link it again without a hand-made /ALIGN value.",
                            "SectionAlignment is 0x%X, which is not a power of two.", align);
    return true;
}

static bool read_directories(struct image *image, struct finding *error)
{
    uint32_t count_foff =
        image->opt_foff + image_pick(image, OPT_NUMBER_OF_RVA_AND_SIZES_32, OPT_NUMBER_OF_RVA_AND_SIZES_64);
    uint32_t first_foff = image->opt_foff + image_pick(image, OPT_DIRECTORIES_32, OPT_DIRECTORIES_64);
    uint32_t named_count = load_u32(image->file.bytes + count_foff);
    uint32_t room_count = (image->opt_foff + image->opt_nbytes - first_foff) / DIRECTORY_ENTRY_NBYTES;
    image->directory_count = named_count < DIR_COUNT ? named_count : DIR_COUNT;
    if (image->directory_count > room_count) {
        image->directory_count = room_count;
        if (!image_note(image, HVCI9004_MALFORMED_TABLE, count_foff,
                        "NumberOfRvaAndSizes is %u, but the optional header has room for %u directories.",
                        named_count, room_count))
            return image_out_of_memory(image, error);
    }
    for (uint32_t i = 0; i < image->directory_count; i++) {
        uint32_t foff = first_foff + i * DIRECTORY_ENTRY_NBYTES;
        const uint8_t *entry = image->file.bytes + foff;
        image->directories[i] = (struct directory){
            .rva = load_u32(entry + DIRECTORY_RVA),
            .nbytes = load_u32(entry + DIRECTORY_SIZE),
            .entry_foff = foff,
        };
    }
    image->is_managed = image_directory(image, DIR_CLR) != NULL;
    image->is_signed = image_directory(image, DIR_SECURITY) != NULL;
    return true;
}

bool image_read_headers(struct image *image, struct finding *error)
{
    if (image->file.nbytes > UINT32_MAX)
        return image_refuse(
            image, error, HVCI9003_MALFORMED_HEADER, NO_FILE_OFFSET, "A PE image cannot be that large.",
            "The file has %zu bytes; offsets in a PE image end at 4 GiB.", image->file.nbytes);
    if (!read_dos_header(image, error) || !read_coff_header(image, error) ||
        !read_optional_header(image, error) || !read_directories(image, error))
        return false;
    image->section_table_foff = image->opt_foff + image->opt_nbytes;
    uint64_t table_nbytes = (uint64_t)image->section_count * SECTION_HEADER_NBYTES;
    if (!range_fits(image->file.nbytes, image->section_table_foff, table_nbytes))
        return image_refuse(image, error, HVCI9002_TRUNCATED, image->section_table_foff, whole_file_cure,
                            "The file ends inside its section table (%u headers at file offset 0x%X).",
                            image->section_count, image->section_table_foff);
    image->section_table_end_foff = image->section_table_foff + (uint32_t)table_nbytes;
    return true;
}
