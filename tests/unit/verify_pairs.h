/* verify_pairs.h - pairs of an old and a new image for the tests of the verifier.
 * Takes: a file, or a small driver made here.  Gives: its right repair (MEM_WRITE off INIT, signature
 * dropped, checksum computed), made by the tests' own code. Must not: use anything of tool/ but the format's
 * numbers and the byte readers. */
#ifndef HVCIFIX_TESTS_VERIFY_PAIRS_H
#define HVCIFIX_TESTS_VERIFY_PAIRS_H

#include "make_image.h"

/* Places in a file, read the plain way; the tests' images and real drivers are well formed. */
struct pe_view {
    uint8_t *bytes;
    size_t nbytes;
    uint32_t coff_foff, opt_foff, directories_foff, sections_foff;
    uint32_t section_count;
    bool is_64;
};

static inline struct pe_view view_of(uint8_t *bytes, size_t nbytes)
{
    struct pe_view view = {.bytes = bytes, .nbytes = nbytes};
    view.coff_foff = load_u32(bytes + DOS_E_LFANEW) + PE_SIGNATURE_NBYTES;
    view.opt_foff = view.coff_foff + COFF_HEADER_NBYTES;
    view.is_64 = load_u16(bytes + view.opt_foff) == OPT_MAGIC_64;
    view.directories_foff =
        view.opt_foff + (view.is_64 ? (uint32_t)OPT_DIRECTORIES_64 : (uint32_t)OPT_DIRECTORIES_32);
    view.section_count = load_u16(bytes + view.coff_foff + COFF_NUMBER_OF_SECTIONS);
    view.sections_foff = view.opt_foff + load_u16(bytes + view.coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER);
    return view;
}

static inline uint32_t view_section_foff(const struct pe_view *view, uint32_t index)
{
    return view->sections_foff + index * SECTION_HEADER_NBYTES;
}

static inline uint32_t view_directory_foff(unsigned number, const struct pe_view *view)
{
    return view->directories_foff + number * DIRECTORY_ENTRY_NBYTES;
}

static inline uint32_t view_directory_rva(const struct pe_view *view, unsigned number)
{
    return load_u32(view->bytes + view_directory_foff(number, view) + DIRECTORY_RVA);
}

static inline uint32_t view_directory_nbytes(const struct pe_view *view, unsigned number)
{
    return load_u32(view->bytes + view_directory_foff(number, view) + DIRECTORY_SIZE);
}

/* File offset of an RVA in a section's raw data, or 0. */
static inline uint32_t view_foff(const struct pe_view *view, uint32_t rva)
{
    for (uint32_t i = 0; i < view->section_count; i++) {
        const uint8_t *header = view->bytes + view_section_foff(view, i);
        uint32_t section_rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
        if (rva >= section_rva && rva - section_rva < load_u32(header + SECTION_SIZE_OF_RAW_DATA))
            return load_u32(header + SECTION_POINTER_TO_RAW_DATA) + (rva - section_rva);
    }
    return 0;
}

/* Index of the section with this name, or of the first that has all `flags` when name is NULL; or count. */
static inline uint32_t view_find_section(const struct pe_view *view, const char *name, uint32_t flags)
{
    uint32_t i = 0;
    for (; i < view->section_count; i++) {
        const uint8_t *header = view->bytes + view_section_foff(view, i);
        bool has_flags = (load_u32(header + SECTION_CHARACTERISTICS) & flags) == flags;
        bool has_name = !name || strncmp((const char *)header, name, SECTION_NAME_NBYTES) == 0;
        if (has_flags && has_name)
            break;
    }
    return i;
}

/* The checksum as imagehlp documents it, one 16-bit addition with end-around carry at a time. */
static inline uint32_t pairs_checksum(const uint8_t *bytes, size_t nbytes, uint32_t field_foff)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < nbytes; i += 2) {
        uint32_t low = i >= field_foff && i < field_foff + 4 ? 0 : bytes[i];
        uint32_t high = i + 1 >= nbytes || (i + 1 >= field_foff && i + 1 < field_foff + 4) ? 0 : bytes[i + 1];
        sum += low | high << 8;
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum + (uint32_t)nbytes;
}

static inline void pairs_set_checksum(uint8_t *bytes, size_t nbytes)
{
    struct pe_view view = view_of(bytes, nbytes);
    uint32_t field_foff = view.opt_foff + OPT_CHECK_SUM;
    store_u32(bytes + field_foff, pairs_checksum(bytes, nbytes, field_foff));
}

struct verify_files {
    uint8_t *old_bytes, *new_bytes; /* owned; new_bytes has room for 0x1000 more */
    size_t old_nbytes, new_nbytes;
};

static inline void pairs_free(struct verify_files *files)
{
    free(files->old_bytes);
    free(files->new_bytes);
    *files = (struct verify_files){0};
}

/* Copies `file` as the old one and makes the right repair of it: MEM_WRITE taken from each executable
 * section, the certificate table cut off, the checksum set. */
static inline struct verify_files pairs_repair(struct span file)
{
    struct verify_files files = {.old_nbytes = file.nbytes, .new_nbytes = file.nbytes};
    files.old_bytes = malloc(file.nbytes);
    files.new_bytes = calloc(1, file.nbytes + 0x1000);
    assert(files.old_bytes && files.new_bytes);
    memcpy(files.old_bytes, file.bytes, file.nbytes);
    memcpy(files.new_bytes, file.bytes, file.nbytes);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    if (view_directory_rva(&view, DIR_SECURITY) != 0) {
        files.new_nbytes = view_directory_rva(&view, DIR_SECURITY);
        memset(files.new_bytes + view_directory_foff(DIR_SECURITY, &view), 0, DIRECTORY_ENTRY_NBYTES);
        memset(files.new_bytes + files.new_nbytes, 0, file.nbytes - files.new_nbytes);
    }
    for (uint32_t i = 0; i < view.section_count; i++) {
        uint8_t *flags = files.new_bytes + view_section_foff(&view, i) + SECTION_CHARACTERISTICS;
        if (load_u32(flags) & SCN_MEM_EXECUTE)
            store_u32(flags, load_u32(flags) & ~SCN_MEM_WRITE);
    }
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    return files;
}

/* A small driver whose INIT is writable, executable and discardable and need not be writable.
 * Sections: .text 1000, .rdata 2000 (IAT, resource, debug entry, and on x64 unwind data), .data 3000,
 * INIT 4000 (code, import descriptors, lookup table, names), .reloc 5000. */
enum {
    DRIVER_TEXT_RVA = 0x1000,
    DRIVER_RDATA_RVA = 0x2000,
    DRIVER_IAT_RVA = 0x2000,
    DRIVER_RESOURCE_RVA = 0x2040,
    DRIVER_DEBUG_RVA = 0x2080,
    DRIVER_POINTER_RVA = 0x20C0, /* relocated, leads to .text */
    DRIVER_PDATA_RVA = 0x2100,
    DRIVER_UNWIND_RVA = 0x2180,
    DRIVER_DATA_RVA = 0x3000,
    DRIVER_INIT_RVA = 0x4000,
    DRIVER_CALLBACK_RVA = 0x4040, /* code whose address is taken */
    DRIVER_SPARE_RVA = 0x4060,    /* room for a test's own code */
    DRIVER_VARIABLE_RVA = 0x40F0, /* 16 bytes that are not code */
    DRIVER_DESCRIPTORS_RVA = 0x4100,
    DRIVER_LOOKUP_RVA = 0x4140,
    DRIVER_NAMES_RVA = 0x4160,
    DRIVER_RELOC_RVA = 0x5000,
    DRIVER_INIT_NBYTES = 0x1A0
};

struct driver {
    struct made_image made;
    uint8_t text[0x40], rdata[0x200], data[0x40], init[DRIVER_INIT_NBYTES];
    uint32_t sites[64];
    size_t site_count;
};

/* The bytes at an RVA of the driver while it is being made. */
static inline uint8_t *driver_at(struct driver *driver, uint32_t rva)
{
    const struct {
        uint32_t rva, nbytes;
        uint8_t *bytes;
    } parts[] = {{DRIVER_TEXT_RVA, sizeof driver->text, driver->text},
                 {DRIVER_RDATA_RVA, sizeof driver->rdata, driver->rdata},
                 {DRIVER_DATA_RVA, sizeof driver->data, driver->data},
                 {DRIVER_INIT_RVA, sizeof driver->init, driver->init}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (rva >= parts[i].rva && rva - parts[i].rva < parts[i].nbytes)
            return parts[i].bytes + (rva - parts[i].rva);
    abort(); /* the test is wrong: the driver has nothing there */
}

static inline void driver_put(struct driver *driver, uint32_t rva, const void *bytes, size_t nbytes)
{
    memcpy(driver_at(driver, rva), bytes, nbytes);
}

/* Stores the address of target_rva at rva, with a base relocation (sites must be added in ascending order).
 */
static inline void driver_put_address(struct driver *driver, uint32_t rva, uint32_t target_rva)
{
    store_width(driver_at(driver, rva), made_is_64(&driver->made) ? 8 : 4,
                driver->made.image_base_va + target_rva);
    driver->sites[driver->site_count++] = rva;
}

/* Opcode bytes, then a disp32 to target_rva counted from trailing_nbytes after the field. Returns the RVA
 * behind the field. */
static inline uint32_t driver_put_relative(struct driver *driver, uint32_t rva, const void *opcode,
                                           size_t nbytes, uint32_t target_rva, uint32_t trailing_nbytes)
{
    driver_put(driver, rva, opcode, nbytes);
    uint32_t field_rva = rva + (uint32_t)nbytes;
    store_u32(driver_at(driver, field_rva), target_rva - (field_rva + 4 + trailing_nbytes));
    return field_rva + 4;
}

static inline void driver_put_imports(struct driver *driver)
{
    unsigned width_nbytes = made_is_64(&driver->made) ? 8 : 4;
    uint8_t *descriptor = driver_at(driver, DRIVER_DESCRIPTORS_RVA);
    store_u32(descriptor + IMPORT_ORIGINAL_FIRST_THUNK, DRIVER_LOOKUP_RVA);
    store_u32(descriptor + IMPORT_NAME, DRIVER_NAMES_RVA);
    store_u32(descriptor + IMPORT_FIRST_THUNK, DRIVER_IAT_RVA);
    store_width(driver_at(driver, DRIVER_LOOKUP_RVA), width_nbytes, DRIVER_NAMES_RVA + 0x10);
    store_width(driver_at(driver, DRIVER_IAT_RVA), width_nbytes, DRIVER_NAMES_RVA + 0x10);
    driver_put(driver, DRIVER_NAMES_RVA, "ntoskrnl.exe", 13);
    driver_put(driver, DRIVER_NAMES_RVA + 0x12, "IoDeleteDevice", 15);
    make_directory(&driver->made, DIR_IMPORT, DRIVER_DESCRIPTORS_RVA, 2 * IMPORT_DESCRIPTOR_NBYTES);
    make_directory(&driver->made, DIR_IAT, DRIVER_IAT_RVA, 2 * width_nbytes);
}

static inline void driver_put_tables(struct driver *driver)
{
    /* One resource directory entry that is a leaf; one debug entry without data. */
    store_u16(driver_at(driver, DRIVER_RESOURCE_RVA) + RESOURCE_NUMBER_OF_IDS, 1);
    store_u32(driver_at(driver, DRIVER_DEBUG_RVA) + DEBUG_TYPE, DEBUG_TYPE_REPRO);
    make_directory(&driver->made, DIR_RESOURCE, DRIVER_RESOURCE_RVA, 0x18);
    make_directory(&driver->made, DIR_DEBUG, DRIVER_DEBUG_RVA, DEBUG_ENTRY_NBYTES);
    driver_put_address(driver, DRIVER_POINTER_RVA, DRIVER_TEXT_RVA);
}

static inline void driver_put_code_64(struct driver *driver)
{
    static const uint8_t leaf[] = {0x33, 0xC0, 0xC3};
    uint32_t at = DRIVER_INIT_RVA;
    driver_put(driver, at, "\x48\x83\xEC\x28", 4);                                   /* sub rsp, 28h */
    at = driver_put_relative(driver, at + 4, "\x48\x8D\x0D", 3, DRIVER_DATA_RVA, 0); /* lea rcx, .data */
    at = driver_put_relative(driver, at, "\xFF\x15", 2, DRIVER_IAT_RVA, 0);          /* call [IAT] */
    at = driver_put_relative(driver, at, "\x48\x8D\x15", 3, DRIVER_CALLBACK_RVA, 0); /* lea rdx, callback */
    driver_put(driver, at, "\x48\x83\xC4\x28\xC3", 5);                               /* add rsp, 28h; ret */
    driver_put(driver, DRIVER_CALLBACK_RVA, leaf, sizeof leaf);
    driver_put(driver, DRIVER_TEXT_RVA, leaf, sizeof leaf);
    uint8_t *function = driver_at(driver, DRIVER_PDATA_RVA);
    store_u32(function + RUNTIME_FUNCTION_BEGIN, DRIVER_INIT_RVA);
    store_u32(function + RUNTIME_FUNCTION_END, at + 5);
    store_u32(function + RUNTIME_FUNCTION_UNWIND, DRIVER_UNWIND_RVA);
    driver_put(driver, DRIVER_UNWIND_RVA, "\x01\x04\x01\x00\x04\x42", 6);
    make_directory(&driver->made, DIR_EXCEPTION, DRIVER_PDATA_RVA, RUNTIME_FUNCTION_NBYTES);
}

static inline void driver_put_code_32(struct driver *driver)
{
    static const uint8_t leaf[] = {0x33, 0xC0, 0xC2, 0x04, 0x00};
    driver_put(driver, DRIVER_INIT_RVA, "\x8B\xFF\x55\x8B\xEC\x68", 6); /* prologue; push offset callback */
    driver_put_address(driver, DRIVER_INIT_RVA + 6, DRIVER_CALLBACK_RVA);
    driver_put(driver, DRIVER_INIT_RVA + 10, "\xFF\x15", 2); /* call [IAT] */
    driver_put_address(driver, DRIVER_INIT_RVA + 12, DRIVER_IAT_RVA);
    driver_put(driver, DRIVER_INIT_RVA + 16, "\xA3", 1); /* mov [.data], eax */
    driver_put_address(driver, DRIVER_INIT_RVA + 17, DRIVER_DATA_RVA);
    driver_put(driver, DRIVER_INIT_RVA + 21, "\x5D\xC2\x08\x00", 4);
    driver_put(driver, DRIVER_CALLBACK_RVA, leaf, sizeof leaf);
    driver_put(driver, DRIVER_TEXT_RVA, leaf, sizeof leaf);
}

static inline struct driver driver_make(uint16_t machine)
{
    struct driver driver = {.made = make_image(machine)};
    driver.made.entry_rva = DRIVER_INIT_RVA;
    memset(driver.text, 0xCC, sizeof driver.text);
    memset(driver.init, 0xCC, DRIVER_VARIABLE_RVA - DRIVER_INIT_RVA);
    driver_put_imports(&driver);
    driver_put_tables(&driver);
    if (machine == MACHINE_AMD64)
        driver_put_code_64(&driver);
    else if (machine == MACHINE_I386)
        driver_put_code_32(&driver);
    return driver;
}

/* The file of the driver, then its right repair. The driver is used up. */
static inline struct verify_files driver_repair(struct driver *driver)
{
    make_section(&driver->made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver->text, sizeof driver->text);
    make_section(&driver->made, ".rdata", DRIVER_RDATA_RVA, MADE_RDATA, driver->rdata, sizeof driver->rdata);
    make_section(&driver->made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver->data, sizeof driver->data);
    make_section(&driver->made, "INIT", DRIVER_INIT_RVA, MADE_INIT, driver->init, sizeof driver->init);
    if (driver->site_count != 0)
        make_relocations(&driver->made, DRIVER_RELOC_RVA, driver->sites, driver->site_count);
    struct verify_files files = pairs_repair(make_file(&driver->made));
    make_free(&driver->made);
    return files;
}

#endif
