/* image_names.c - words for the numbers of the headers.
 * Takes: enum values and header fields.  Gives: stable English words.  Must not: allocate but for unknown
 * numbers. */
#include "image/image.h"

const char *image_machine_name(const struct image *image)
{
    switch (image->machine) {
    case MACHINE_I386:
        return "x86";
    case MACHINE_AMD64:
        return "x64";
    case MACHINE_ARM64:
        return "ARM64";
    case MACHINE_IA64:
        return "IA64";
    case MACHINE_ARM:
    case MACHINE_THUMB:
    case MACHINE_ARMNT:
        return "ARM";
    case MACHINE_ARM64EC:
        return "ARM64EC";
    case MACHINE_ARM64X:
        return "ARM64X";
    case MACHINE_EBC:
        return "EBC";
    default:
        return arena_printf(image->arena, "machine 0x%04X", image->machine);
    }
}

const char *image_subsystem_name(const struct image *image)
{
    switch (image->subsystem) {
    case SUBSYSTEM_UNKNOWN:
        return "unknown";
    case SUBSYSTEM_NATIVE:
        return "native";
    case SUBSYSTEM_WINDOWS_GUI:
        return "Windows GUI";
    case SUBSYSTEM_WINDOWS_CUI:
        return "Windows console";
    case SUBSYSTEM_POSIX_CUI:
        return "POSIX console";
    case SUBSYSTEM_NATIVE_WINDOWS:
        return "native Windows 9x driver";
    case SUBSYSTEM_WINDOWS_CE_GUI:
        return "Windows CE";
    case SUBSYSTEM_EFI_APPLICATION:
        return "EFI application";
    case SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER:
        return "EFI boot service driver";
    case SUBSYSTEM_EFI_RUNTIME_DRIVER:
        return "EFI runtime driver";
    case SUBSYSTEM_EFI_ROM:
        return "EFI ROM";
    case SUBSYSTEM_XBOX:
        return "Xbox";
    case SUBSYSTEM_WINDOWS_BOOT_APPLICATION:
        return "Windows boot application";
    default:
        return arena_printf(image->arena, "subsystem %u", image->subsystem);
    }
}

const char *region_kind_name(enum region_kind kind)
{
    switch (kind) {
    case REGION_DOS_HEADER:
        return "DOS header";
    case REGION_DOS_STUB:
        return "DOS stub";
    case REGION_RICH_HEADER:
        return "Rich header";
    case REGION_PE_SIGNATURE:
        return "PE signature";
    case REGION_COFF_HEADER:
        return "COFF header";
    case REGION_OPTIONAL_HEADER:
        return "optional header";
    case REGION_DATA_DIRECTORIES:
        return "data directories";
    case REGION_SECTION_HEADERS:
        return "section headers";
    case REGION_HEADER_SLACK:
        return "header slack";
    case REGION_SECTION:
        return "section";
    case REGION_SECTION_TAIL:
        return "section tail";
    case REGION_COFF_SYMBOLS:
        return "COFF symbols";
    case REGION_STRING_TABLE:
        return "COFF string table";
    case REGION_COFF_RELOCATIONS:
        return "COFF relocations";
    case REGION_DEBUG_DATA:
        return "debug data";
    case REGION_CERTIFICATES:
        return "certificates";
    case REGION_PADDING:
        return "padding";
    case REGION_UNNAMED:
        return "unnamed";
    case REGION_OVERLAY:
        return "overlay";
    }
    return "unknown";
}
