/* image.h - an image file as the loader reads it: headers, sections, directories. */
#ifndef LOADER_IMAGE_H
#define LOADER_IMAGE_H

#include "machine.h"

#define SECTION_DISCARDABLE 0x02000000u
#define SECTION_EXECUTE 0x20000000u
#define SECTION_READ 0x40000000u
#define SECTION_WRITE 0x80000000u

#define SECTION_COUNT_LIMIT 96

enum directory_number {
    DIRECTORY_EXPORT = 0,
    DIRECTORY_IMPORT = 1,
    DIRECTORY_FUNCTIONS = 3,
    DIRECTORY_RELOCATIONS = 5,
    DIRECTORY_LOAD_CONFIG = 10,
    DIRECTORY_IAT = 12,
    DIRECTORY_COUNT = 16
};

struct directory {
    uint32_t rva, nbytes;
};

struct section {
    char name[9];
    uint32_t rva, nbytes; /* as mapped: whole pages, where sections are page-aligned */
    uint32_t raw_foff, raw_nbytes;
    uint32_t flags;
};

struct image {
    const uint8_t *file;
    size_t file_nbytes;
    uint64_t own_base;
    uint32_t base_field_rva; /* where ImageBase stands in the headers */
    uint32_t nbytes, headers_nbytes, alignment, entry_rva, stored_headers_nbytes;
    bool is_low_aligned; /* mapped as one piece, in which RVAs are file offsets */
    bool is_fixed;       /* its relocations were stripped: it can only be loaded at its own base */
    bool checks_calls;   /* DllCharacteristics: Control Flow Guard */
    struct directory directories[DIRECTORY_COUNT];
    unsigned section_count;
    struct section sections[SECTION_COUNT_LIMIT];
};

/* Reads the headers. NULL, or why the file is not an image for this machine. The bytes are borrowed. */
const char *image_read(const uint8_t *file, size_t nbytes, struct image *image);

/* The section that has this RVA; NULL for headers and what no section has. */
const struct section *image_section_at(const struct image *image, uint32_t rva);

#endif
