/* make_image.h - builds small PE images in memory for unit tests, byte by byte from a description.
 * Takes: machine, sections (name, RVA, characteristics, bytes), directories, entry point.
 * Gives: the bytes of a file, in one malloc block of exactly its size (so that a sanitizer sees over-reads).
 * Must not: use anything of tool/image; it shares only the format's numbers with the code under test.
 *
 *     struct made_image made = make_image(MACHINE_AMD64);
 *     made.entry_rva = 0x1000;
 *     make_section(&made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
 *     make_directory(&made, DIR_EXCEPTION, 0x2000, 12);
 *     struct span file = make_file(&made);     then image_read(file, ...); at the end make_free(&made);
 *
 * Fields may be changed between make_image() and make_file(); bytes of the file may be poked afterwards. */
#ifndef HVCIFIX_TESTS_MAKE_IMAGE_H
#define HVCIFIX_TESTS_MAKE_IMAGE_H

#include "base/pe_format.h"
#include "base/span.h"

#include <assert.h>
#include <stdlib.h>

#define MADE_TEXT (SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ)
#define MADE_RDATA (SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ)
#define MADE_DATA (SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_WRITE)
#define MADE_INIT (SCN_CNT_CODE | SCN_MEM_DISCARDABLE | SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_WRITE)
#define MADE_RELOC (SCN_CNT_INITIALIZED_DATA | SCN_MEM_DISCARDABLE | SCN_MEM_READ)

enum { MADE_MAX_SECTIONS = 16, MADE_PE_FOFF = DOS_HEADER_NBYTES };

struct made_section {
    char name[SECTION_NAME_NBYTES + 1];
    uint32_t rva, characteristics;
    uint32_t virtual_size; /* make_section() sets it to nbytes; raise it for a zero-filled tail */
    uint8_t *bytes;        /* owned copy */
    uint32_t nbytes;
    uint32_t raw_foff, raw_nbytes; /* set by make_file() */
};

struct made_image {
    uint16_t machine, subsystem, dll_characteristics, coff_characteristics;
    uint8_t linker_major;
    uint64_t image_base_va;
    uint32_t entry_rva;
    uint32_t section_alignment, file_alignment; /* equal and below a page: raw offset = RVA */
    struct made_section sections[MADE_MAX_SECTIONS];
    uint32_t section_count;
    struct {
        uint32_t rva, nbytes;
    } directories[DIR_COUNT];
    uint8_t *file; /* owned, by make_file() */
    size_t file_nbytes;
};

static inline bool made_is_64(const struct made_image *made)
{
    return made->machine != MACHINE_I386 && made->machine != MACHINE_ARMNT && made->machine != MACHINE_ARM;
}

static inline uint32_t made_round_up(uint32_t value, uint32_t align)
{
    return (value + align - 1) / align * align;
}

/* A page-aligned native driver with no sections yet. */
static inline struct made_image make_image(uint16_t machine)
{
    struct made_image made = {
        .machine = machine,
        .subsystem = SUBSYSTEM_NATIVE,
        .dll_characteristics = DLLCHAR_DYNAMIC_BASE | DLLCHAR_NX_COMPAT,
        .coff_characteristics = COFF_EXECUTABLE_IMAGE,
        .linker_major = 14,
        .section_alignment = PAGE_NBYTES,
        .file_alignment = 0x200,
    };
    made.image_base_va = made_is_64(&made) ? UINT64_C(0x140000000) : 0x10000;
    return made;
}

/* Appends a section; RVAs ascend in the order of the calls. Returns it, so that a test can change it. */
static inline struct made_section *make_section(struct made_image *made, const char *name, uint32_t rva,
                                                uint32_t characteristics, const void *bytes, size_t nbytes)
{
    assert(made->section_count < MADE_MAX_SECTIONS);
    struct made_section *section = &made->sections[made->section_count++];
    *section = (struct made_section){.rva = rva, .characteristics = characteristics};
    for (size_t i = 0; i < SECTION_NAME_NBYTES && name[i]; i++)
        section->name[i] = name[i];
    section->nbytes = section->virtual_size = (uint32_t)nbytes;
    section->bytes = malloc(nbytes + 1);
    assert(section->bytes);
    if (nbytes != 0)
        memcpy(section->bytes, bytes, nbytes);
    return section;
}

static inline void make_directory(struct made_image *made, unsigned number, uint32_t rva, uint32_t nbytes)
{
    made->directories[number].rva = rva;
    made->directories[number].nbytes = nbytes;
}

/* Appends a .reloc section at rva with one entry per site (ascending RVAs; DIR64 for 64-bit machines,
 * HIGHLOW otherwise) and points directory 5 at it. At most 256 sites. */
static inline void make_relocations(struct made_image *made, uint32_t rva, const uint32_t *sites,
                                    size_t count)
{
    uint8_t bytes[256 * (BASERELOC_BLOCK_HEADER_NBYTES + 4)] = {0};
    assert(count <= 256);
    unsigned type = made_is_64(made) ? BASERELOC_DIR64 : BASERELOC_HIGHLOW;
    size_t at = 0;
    for (size_t i = 0; i < count;) {
        uint32_t page = sites[i] & ~(uint32_t)(PAGE_NBYTES - 1);
        size_t block = at;
        at += BASERELOC_BLOCK_HEADER_NBYTES;
        for (; i < count && (sites[i] & ~(uint32_t)(PAGE_NBYTES - 1)) == page; i++, at += 2)
            store_u16(bytes + at, (uint16_t)(type << 12 | (sites[i] & (PAGE_NBYTES - 1))));
        at = (at + 3) & ~(size_t)3; /* an entry of type 0 fills the block up */
        store_u32(bytes + block + BASERELOC_PAGE_RVA, page);
        store_u32(bytes + block + BASERELOC_BLOCK_SIZE, (uint32_t)(at - block));
    }
    make_section(made, ".reloc", rva, MADE_RELOC, bytes, at);
    make_directory(made, DIR_BASERELOC, rva, (uint32_t)at);
}

/* Where the parts of the headers begin in the file. */
static inline uint32_t made_coff_foff(void)
{
    return MADE_PE_FOFF + PE_SIGNATURE_NBYTES;
}

static inline uint32_t made_opt_foff(void)
{
    return made_coff_foff() + COFF_HEADER_NBYTES;
}

static inline uint32_t made_directory_foff(const struct made_image *made, unsigned number)
{
    return made_opt_foff() +
           (made_is_64(made) ? (uint32_t)OPT_DIRECTORIES_64 : (uint32_t)OPT_DIRECTORIES_32) +
           number * DIRECTORY_ENTRY_NBYTES;
}

static inline uint32_t made_section_header_foff(const struct made_image *made, uint32_t index)
{
    return made_directory_foff(made, DIR_COUNT) + index * SECTION_HEADER_NBYTES;
}

/* File offset of an RVA inside a section's bytes. After make_file(). */
static inline uint32_t made_foff(const struct made_image *made, uint32_t rva)
{
    for (uint32_t i = 0; i < made->section_count; i++) {
        const struct made_section *section = &made->sections[i];
        if (rva >= section->rva && rva - section->rva < section->raw_nbytes)
            return section->raw_foff + (rva - section->rva);
    }
    abort(); /* the test is wrong: no section has this RVA */
}

/* Gives each section its raw bytes' place; returns the size of the file, and through the pointers what
 * the headers say. */
static inline uint32_t made_lay_out(struct made_image *made, uint32_t *headers_nbytes, uint32_t *image_nbytes)
{
    bool is_flat = made->section_alignment < PAGE_NBYTES;
    uint32_t header_end_foff = made_section_header_foff(made, made->section_count);
    *headers_nbytes = made_round_up(header_end_foff, made->file_alignment);
    *image_nbytes = made_round_up(*headers_nbytes, made->section_alignment);
    uint32_t next_foff = *headers_nbytes;
    for (uint32_t i = 0; i < made->section_count; i++) {
        struct made_section *section = &made->sections[i];
        section->raw_nbytes = made_round_up(section->nbytes, made->file_alignment);
        section->raw_foff = section->raw_nbytes == 0 ? 0 : is_flat ? section->rva : next_foff;
        if (section->raw_nbytes != 0)
            next_foff = section->raw_foff + section->raw_nbytes;
        uint32_t memory_nbytes = section->virtual_size ? section->virtual_size : section->raw_nbytes;
        *image_nbytes = made_round_up(section->rva + memory_nbytes, made->section_alignment);
    }
    return next_foff;
}

static inline void made_write_optional(const struct made_image *made, uint8_t *opt, uint32_t headers_nbytes,
                                       uint32_t image_nbytes)
{
    bool is_64 = made_is_64(made);
    store_u16(opt + OPT_MAGIC, is_64 ? OPT_MAGIC_64 : OPT_MAGIC_32);
    opt[OPT_MAJOR_LINKER_VERSION] = made->linker_major;
    store_u32(opt + OPT_ADDRESS_OF_ENTRY_POINT, made->entry_rva);
    store_u32(opt + OPT_BASE_OF_CODE, made->section_count ? made->sections[0].rva : 0);
    if (is_64)
        store_u64(opt + OPT_IMAGE_BASE_64, made->image_base_va);
    else
        store_u32(opt + OPT_IMAGE_BASE_32, (uint32_t)made->image_base_va);
    store_u32(opt + OPT_SECTION_ALIGNMENT, made->section_alignment);
    store_u32(opt + OPT_FILE_ALIGNMENT, made->file_alignment);
    store_u16(opt + OPT_MAJOR_OS_VERSION, 10);
    store_u16(opt + OPT_MAJOR_SUBSYSTEM_VERSION, 10);
    store_u32(opt + OPT_SIZE_OF_IMAGE, image_nbytes);
    store_u32(opt + OPT_SIZE_OF_HEADERS, headers_nbytes);
    store_u16(opt + OPT_SUBSYSTEM, made->subsystem);
    store_u16(opt + OPT_DLL_CHARACTERISTICS, made->dll_characteristics);
    store_u32(opt + (is_64 ? OPT_NUMBER_OF_RVA_AND_SIZES_64 : OPT_NUMBER_OF_RVA_AND_SIZES_32), DIR_COUNT);
}

/* Writes the file. CheckSum stays 0 ("not computed"). The span is valid until make_free(). */
static inline struct span make_file(struct made_image *made)
{
    uint32_t headers_nbytes, image_nbytes;
    made->file_nbytes = made_lay_out(made, &headers_nbytes, &image_nbytes);
    made->file = calloc(1, made->file_nbytes);
    assert(made->file);
    uint8_t *file = made->file, *coff = file + made_coff_foff();
    store_u16(file + DOS_E_MAGIC, DOS_MAGIC);
    store_u32(file + DOS_E_LFANEW, MADE_PE_FOFF);
    store_u32(file + MADE_PE_FOFF, PE_SIGNATURE);
    store_u16(coff + COFF_MACHINE, made->machine);
    store_u16(coff + COFF_NUMBER_OF_SECTIONS, (uint16_t)made->section_count);
    store_u16(coff + COFF_SIZE_OF_OPTIONAL_HEADER,
              (uint16_t)(made_directory_foff(made, DIR_COUNT) - made_opt_foff()));
    store_u16(coff + COFF_CHARACTERISTICS, made->coff_characteristics);
    made_write_optional(made, file + made_opt_foff(), headers_nbytes, image_nbytes);
    for (unsigned i = 0; i < DIR_COUNT; i++) {
        store_u32(file + made_directory_foff(made, i) + DIRECTORY_RVA, made->directories[i].rva);
        store_u32(file + made_directory_foff(made, i) + DIRECTORY_SIZE, made->directories[i].nbytes);
    }
    for (uint32_t i = 0; i < made->section_count; i++) {
        const struct made_section *section = &made->sections[i];
        uint8_t *header = file + made_section_header_foff(made, i);
        memcpy(header + SECTION_NAME, section->name, SECTION_NAME_NBYTES);
        store_u32(header + SECTION_VIRTUAL_SIZE, section->virtual_size);
        store_u32(header + SECTION_VIRTUAL_ADDRESS, section->rva);
        store_u32(header + SECTION_SIZE_OF_RAW_DATA, section->raw_nbytes);
        store_u32(header + SECTION_POINTER_TO_RAW_DATA, section->raw_foff);
        store_u32(header + SECTION_CHARACTERISTICS, section->characteristics);
        if (section->nbytes != 0)
            memcpy(file + section->raw_foff, section->bytes, section->nbytes);
    }
    return (struct span){file, made->file_nbytes};
}

static inline void make_free(struct made_image *made)
{
    for (uint32_t i = 0; i < made->section_count; i++)
        free(made->sections[i].bytes);
    free(made->file);
    made->section_count = 0;
    made->file = NULL;
}

#endif
