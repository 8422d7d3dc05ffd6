/* verify_fields.c - names the header fields.
 * Takes: file offsets.  Gives: names with offset and width.  Must not: judge.
 * Source: PE format specification, the tables of the COFF, optional and section headers. */
#include "verify/verify_fields.h"

struct named_field {
    uint16_t at, nbytes; /* from the start of the header */
    const char *name;
};

static const struct named_field coff_fields[] = {
    {COFF_MACHINE, 2, "Machine"},
    {COFF_NUMBER_OF_SECTIONS, 2, "NumberOfSections"},
    {COFF_TIME_DATE_STAMP, 4, "TimeDateStamp"},
    {COFF_POINTER_TO_SYMBOL_TABLE, 4, "PointerToSymbolTable"},
    {COFF_NUMBER_OF_SYMBOLS, 4, "NumberOfSymbols"},
    {COFF_SIZE_OF_OPTIONAL_HEADER, 2, "SizeOfOptionalHeader"},
    {COFF_CHARACTERISTICS, 2, "Characteristics of the file header"},
};

static const struct named_field optional_fields_32[] = {
    {OPT_BASE_OF_DATA_32, 4, "BaseOfData"},
    {OPT_IMAGE_BASE_32, 4, "ImageBase"},
    {OPT_SIZE_OF_STACK_RESERVE, 4, "SizeOfStackReserve"},
    {OPT_SIZE_OF_STACK_RESERVE + 4, 4, "SizeOfStackCommit"},
    {OPT_SIZE_OF_STACK_RESERVE + 8, 4, "SizeOfHeapReserve"},
    {OPT_SIZE_OF_STACK_RESERVE + 12, 4, "SizeOfHeapCommit"},
    {OPT_LOADER_FLAGS_32, 4, "LoaderFlags"},
    {OPT_NUMBER_OF_RVA_AND_SIZES_32, 4, "NumberOfRvaAndSizes"},
};

static const struct named_field optional_fields_64[] = {
    {OPT_IMAGE_BASE_64, 8, "ImageBase"},
    {OPT_SIZE_OF_STACK_RESERVE, 8, "SizeOfStackReserve"},
    {OPT_SIZE_OF_STACK_RESERVE + 8, 8, "SizeOfStackCommit"},
    {OPT_SIZE_OF_STACK_RESERVE + 16, 8, "SizeOfHeapReserve"},
    {OPT_SIZE_OF_STACK_RESERVE + 24, 8, "SizeOfHeapCommit"},
    {OPT_LOADER_FLAGS_64, 4, "LoaderFlags"},
    {OPT_NUMBER_OF_RVA_AND_SIZES_64, 4, "NumberOfRvaAndSizes"},
};

static const struct named_field optional_fields[] = {
    {OPT_MAGIC, 2, "Magic"},
    {OPT_MAJOR_LINKER_VERSION, 1, "MajorLinkerVersion"},
    {OPT_MINOR_LINKER_VERSION, 1, "MinorLinkerVersion"},
    {OPT_SIZE_OF_CODE, 4, "SizeOfCode"},
    {OPT_SIZE_OF_INITIALIZED_DATA, 4, "SizeOfInitializedData"},
    {OPT_SIZE_OF_UNINITIALIZED_DATA, 4, "SizeOfUninitializedData"},
    {OPT_ADDRESS_OF_ENTRY_POINT, 4, "AddressOfEntryPoint"},
    {OPT_BASE_OF_CODE, 4, "BaseOfCode"},
    {OPT_SECTION_ALIGNMENT, 4, "SectionAlignment"},
    {OPT_FILE_ALIGNMENT, 4, "FileAlignment"},
    {OPT_MAJOR_OS_VERSION, 2, "MajorOperatingSystemVersion"},
    {OPT_MINOR_OS_VERSION, 2, "MinorOperatingSystemVersion"},
    {OPT_MAJOR_IMAGE_VERSION, 2, "MajorImageVersion"},
    {OPT_MINOR_IMAGE_VERSION, 2, "MinorImageVersion"},
    {OPT_MAJOR_SUBSYSTEM_VERSION, 2, "MajorSubsystemVersion"},
    {OPT_MINOR_SUBSYSTEM_VERSION, 2, "MinorSubsystemVersion"},
    {OPT_WIN32_VERSION_VALUE, 4, "Win32VersionValue"},
    {OPT_SIZE_OF_IMAGE, 4, "SizeOfImage"},
    {OPT_SIZE_OF_HEADERS, 4, "SizeOfHeaders"},
    {OPT_CHECK_SUM, 4, "CheckSum"},
    {OPT_SUBSYSTEM, 2, "Subsystem"},
    {OPT_DLL_CHARACTERISTICS, 2, "DllCharacteristics"},
};

static const struct named_field section_fields[] = {
    {SECTION_NAME, SECTION_NAME_NBYTES, "Name"},
    {SECTION_VIRTUAL_SIZE, 4, "VirtualSize"},
    {SECTION_VIRTUAL_ADDRESS, 4, "VirtualAddress"},
    {SECTION_SIZE_OF_RAW_DATA, 4, "SizeOfRawData"},
    {SECTION_POINTER_TO_RAW_DATA, 4, "PointerToRawData"},
    {SECTION_POINTER_TO_RELOCATIONS, 4, "PointerToRelocations"},
    {SECTION_POINTER_TO_LINENUMBERS, 4, "PointerToLinenumbers"},
    {SECTION_NUMBER_OF_RELOCATIONS, 2, "NumberOfRelocations"},
    {SECTION_NUMBER_OF_LINENUMBERS, 2, "NumberOfLinenumbers"},
    {SECTION_CHARACTERISTICS, 4, "Characteristics"},
};

static const char *const directory_names[DIR_COUNT] = {
    [DIR_EXPORT] = "exports",
    [DIR_IMPORT] = "imports",
    [DIR_RESOURCE] = "resources",
    [DIR_EXCEPTION] = "exception data",
    [DIR_SECURITY] = "security",
    [DIR_BASERELOC] = "base relocations",
    [DIR_DEBUG] = "debug data",
    [DIR_ARCHITECTURE] = "architecture",
    [DIR_GLOBALPTR] = "global pointer",
    [DIR_TLS] = "thread local storage",
    [DIR_LOAD_CONFIG] = "load config",
    [DIR_BOUND_IMPORT] = "bound imports",
    [DIR_IAT] = "IAT",
    [DIR_DELAY_IMPORT] = "delay imports",
    [DIR_CLR] = "CLR header",
    [DIR_RESERVED] = "reserved",
};

const char *verify_directory_name(uint32_t index)
{
    return index < DIR_COUNT ? directory_names[index] : "reserved";
}

static bool find_field(const struct named_field *fields, size_t count, uint64_t header_foff, uint64_t foff,
                       struct verify_field *field)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t start_foff = header_foff + fields[i].at;
        if (foff >= start_foff && foff - start_foff < fields[i].nbytes) {
            *field = (struct verify_field){fields[i].name, start_foff, fields[i].nbytes};
            return true;
        }
    }
    return false;
}

#define FIND_FIELD(table, header_foff)                                                                       \
    find_field(table, sizeof(table) / sizeof(table)[0], header_foff, foff, field)

static bool find_optional_field(const struct verify_image *image, uint64_t foff, struct arena *arena,
                                struct verify_field *field)
{
    uint64_t directories_end_foff =
        image->directories_foff + (uint64_t)image->directory_count * DIRECTORY_ENTRY_NBYTES;
    if (foff >= image->directories_foff && foff < directories_end_foff) {
        uint32_t at = (uint32_t)(foff - image->directories_foff);
        uint32_t index = at / DIRECTORY_ENTRY_NBYTES;
        bool is_size = at % DIRECTORY_ENTRY_NBYTES >= DIRECTORY_SIZE;
        field->name = arena_printf(arena, "data directory %u (%s) %s", (unsigned)index,
                                   verify_directory_name(index), is_size ? "size" : "address");
        field->foff = foff - at % 4;
        field->nbytes = 4;
        return true;
    }
    if (image->is_64 ? FIND_FIELD(optional_fields_64, image->opt_foff)
                     : FIND_FIELD(optional_fields_32, image->opt_foff))
        return true;
    if (FIND_FIELD(optional_fields, image->opt_foff))
        return true;
    *field = (struct verify_field){"tail of the optional header", foff, 1};
    return true;
}

static bool find_section_field(const struct verify_image *image, uint64_t foff, struct arena *arena,
                               struct verify_field *field)
{
    uint32_t index = (uint32_t)((foff - image->section_table_foff) / SECTION_HEADER_NBYTES);
    const struct verify_section *section = &image->sections[index];
    if (!FIND_FIELD(section_fields, section->header_foff))
        return false;
    field->name = arena_printf(arena, "section %s %s", section->name, field->name);
    return true;
}

bool verify_field_at(const struct verify_image *image, uint64_t foff, struct arena *arena,
                     struct verify_field *field)
{
    *field = (struct verify_field){"header slack", foff, 1};
    /* A small e_lfanew lets the headers overlap; the later structure is the one that is read last. */
    if (foff >= image->section_table_foff && foff < image->section_table_end_foff)
        return find_section_field(image, foff, arena, field);
    if (foff >= image->opt_foff && foff < image->section_table_foff)
        return find_optional_field(image, foff, arena, field);
    if (foff >= image->coff_foff && foff < image->opt_foff)
        return FIND_FIELD(coff_fields, image->coff_foff);
    if (foff >= image->pe_foff && foff < image->coff_foff) {
        *field = (struct verify_field){"PE signature", image->pe_foff, PE_SIGNATURE_NBYTES};
        return true;
    }
    if (foff >= DOS_E_LFANEW && foff < DOS_E_LFANEW + 4) {
        *field = (struct verify_field){"e_lfanew", DOS_E_LFANEW, 4};
        return true;
    }
    if (foff < image->pe_foff) {
        field->name = foff < DOS_HEADER_NBYTES ? "DOS header" : "DOS stub";
        return true;
    }
    return foff < image->headers_nbytes && !verify_section_at_foff(image, foff);
}
