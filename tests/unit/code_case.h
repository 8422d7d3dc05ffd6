/* code_case.h - a small driver for tests of the code reader, written instruction by instruction.
 * Takes: bytes put at RVAs, function bounds, relocated fields.  Gives: the image read, its references, its
 * code map. Must not: expect anything.
 *
 *     .text  0x1000  RX   filled with CC; the entry point is its first byte
 *     .rdata 0x2000  R
 *     .data  0x3000  RW
 *     INIT   0x4000  RWX, discardable; filled with CC
 *     .pdata 0x5000  R    the bounds given to case_function(), x64 only
 *     .reloc 0x6000  R    when case_put_va() was called */
#ifndef HVCIFIX_TESTS_CODE_CASE_H
#define HVCIFIX_TESTS_CODE_CASE_H

#include "cmocka_all.h"
#include "code/code_map.h"
#include "make_image.h"

enum {
    CASE_TEXT_RVA = 0x1000,
    CASE_RDATA_RVA = 0x2000,
    CASE_DATA_RVA = 0x3000,
    CASE_INIT_RVA = 0x4000,
    CASE_PDATA_RVA = 0x5000,
    CASE_RELOC_RVA = 0x6000,
    CASE_SECTION_NBYTES = 0x400,
    CASE_INIT_SECTION = 3 /* index */
};

struct code_case {
    struct made_image made;
    uint8_t bytes[4][CASE_SECTION_NBYTES]; /* .text, .rdata, .data, INIT */
    struct {
        uint32_t begin_rva, end_rva;
        size_t parent; /* index of the function that it is a fragment of; its own otherwise */
    } functions[16];
    size_t function_count;
    uint32_t relocated[64];
    size_t relocated_count;
    uint32_t text_virtual_nbytes; /* 0: all that the file has of .text */
    struct arena arena;
    struct image image;
    struct refset refs;
    struct code_map map;
};

/* Where the byte at rva is kept until the file is made. */
static inline uint8_t *case_at(struct code_case *driver, uint32_t rva)
{
    uint32_t section = rva / PAGE_NBYTES - 1, offset = rva % PAGE_NBYTES;
    assert_true(section < 4 && offset < CASE_SECTION_NBYTES);
    return &driver->bytes[section][offset];
}

static inline void case_begin(struct code_case *driver, uint16_t machine)
{
    memset(driver, 0, sizeof *driver);
    driver->made = make_image(machine);
    driver->made.entry_rva = CASE_TEXT_RVA;
    memset(driver->bytes[0], 0xCC, CASE_SECTION_NBYTES);
    memset(driver->bytes[3], 0xCC, CASE_SECTION_NBYTES);
}

/* Puts bytes; returns the RVA behind them. */
static inline uint32_t case_put(struct code_case *driver, uint32_t rva, const char *bytes, size_t nbytes)
{
    memcpy(case_at(driver, rva), bytes, nbytes);
    return rva + (uint32_t)nbytes;
}
#define CASE_PUT(driver, rva, literal) case_put(driver, rva, literal, sizeof(literal) - 1)

/* Puts opcode bytes and a 4-byte field relative to the instruction's end, which trailing_nbytes later
 * follows; returns the RVA behind the field. */
static inline uint32_t case_put_rel(struct code_case *driver, uint32_t rva, const char *opcode,
                                    size_t opcode_nbytes, uint32_t target_rva, uint32_t trailing_nbytes)
{
    rva = case_put(driver, rva, opcode, opcode_nbytes);
    store_u32(case_at(driver, rva), target_rva - (rva + 4 + trailing_nbytes));
    return rva + 4;
}
#define CASE_PUT_REL(driver, rva, literal, target_rva)                                                       \
    case_put_rel(driver, rva, literal, sizeof(literal) - 1, target_rva, 0)

/* Puts opcode bytes and an absolute address of the machine's width with a base relocation. */
static inline uint32_t case_put_va(struct code_case *driver, uint32_t rva, const char *opcode,
                                   size_t opcode_nbytes, uint32_t target_rva)
{
    rva = case_put(driver, rva, opcode, opcode_nbytes);
    unsigned nbytes = made_is_64(&driver->made) ? 8 : 4;
    store_width(case_at(driver, rva), nbytes, driver->made.image_base_va + target_rva);
    assert_true(driver->relocated_count < sizeof driver->relocated / sizeof *driver->relocated);
    driver->relocated[driver->relocated_count++] = rva;
    return rva + nbytes;
}
#define CASE_PUT_VA(driver, rva, literal, target_rva)                                                        \
    case_put_va(driver, rva, literal, sizeof(literal) - 1, target_rva)

static inline void case_put_u32(struct code_case *driver, uint32_t rva, uint32_t value)
{
    store_u32(case_at(driver, rva), value);
}

/* Unwind data bounds a function there. Call in ascending order. */
static inline void case_function(struct code_case *driver, uint32_t begin_rva, uint32_t end_rva)
{
    driver->functions[driver->function_count].begin_rva = begin_rva;
    driver->functions[driver->function_count].end_rva = end_rva;
    driver->functions[driver->function_count].parent = driver->function_count;
    driver->function_count++;
}

/* The same for a fragment whose unwind info is chained to that of an earlier function. */
static inline void case_fragment(struct code_case *driver, uint32_t begin_rva, uint32_t end_rva,
                                 size_t parent)
{
    case_function(driver, begin_rva, end_rva);
    driver->functions[driver->function_count - 1].parent = parent;
}

static inline void case_put_record(const struct code_case *driver, uint8_t *record, size_t index,
                                   uint32_t unwind_rva)
{
    store_u32(record + RUNTIME_FUNCTION_BEGIN, driver->functions[index].begin_rva);
    store_u32(record + RUNTIME_FUNCTION_END, driver->functions[index].end_rva);
    store_u32(record + RUNTIME_FUNCTION_UNWIND, unwind_rva);
}

static inline void case_make_pdata(struct code_case *driver)
{
    enum { INFO_NBYTES = UNWIND_INFO_HEADER_NBYTES + RUNTIME_FUNCTION_NBYTES, RECORDS = 16 * INFO_NBYTES };
    uint8_t pdata[RECORDS + 16 * RUNTIME_FUNCTION_NBYTES] = {0};
    for (size_t i = 0; i < driver->function_count; i++) {
        /* UNWIND_INFO: version 1, no codes; a fragment's has the chain flag and its parent's record. */
        size_t parent = driver->functions[i].parent;
        uint8_t *info = pdata + i * INFO_NBYTES;
        info[0] = (uint8_t)(parent == i ? 1 : 1 | UNWIND_FLAG_CHAININFO << 3);
        if (parent != i)
            case_put_record(driver, info + UNWIND_INFO_HEADER_NBYTES, parent,
                            CASE_PDATA_RVA + (uint32_t)(parent * INFO_NBYTES));
        case_put_record(driver, pdata + RECORDS + i * RUNTIME_FUNCTION_NBYTES, i,
                        CASE_PDATA_RVA + (uint32_t)(i * INFO_NBYTES));
    }
    make_section(&driver->made, ".pdata", CASE_PDATA_RVA, MADE_RDATA, pdata, sizeof pdata);
    if (driver->function_count != 0)
        make_directory(&driver->made, DIR_EXCEPTION, CASE_PDATA_RVA + RECORDS,
                       (uint32_t)(driver->function_count * RUNTIME_FUNCTION_NBYTES));
}

static inline int case_compare_rvas(const void *a, const void *b)
{
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

/* Makes the file and reads it. */
static inline void case_read(struct code_case *driver)
{
    static const char *const names[] = {".text", ".rdata", ".data", "INIT"};
    static const uint32_t characteristics[] = {MADE_TEXT, MADE_RDATA, MADE_DATA, MADE_INIT};
    for (uint32_t i = 0; i < 4; i++)
        make_section(&driver->made, names[i], (i + 1) * PAGE_NBYTES, characteristics[i], driver->bytes[i],
                     CASE_SECTION_NBYTES);
    if (driver->text_virtual_nbytes != 0)
        driver->made.sections[0].virtual_size = driver->text_virtual_nbytes;
    case_make_pdata(driver);
    qsort(driver->relocated, driver->relocated_count, sizeof *driver->relocated, case_compare_rvas);
    if (driver->relocated_count != 0)
        make_relocations(&driver->made, CASE_RELOC_RVA, driver->relocated, driver->relocated_count);
    arena_init(&driver->arena, NULL);
    struct finding error = {0};
    if (!image_read(make_file(&driver->made), &driver->arena, &driver->image, &error))
        fail_msg("image_read: %s", error.message);
    assert_true(refs_collect(&driver->image, &driver->arena, SOURCE_ALL, &driver->refs));
    assert_true(code_read(&driver->image, &driver->refs, &driver->arena, &driver->map));
}

static inline void case_end(struct code_case *driver)
{
    arena_free(&driver->arena);
    make_free(&driver->made);
}

/* The reference that an instruction holds in the field at site_rva, or NULL. */
static inline const struct ref *case_ref(const struct code_case *driver, uint32_t site_rva)
{
    for (size_t i = 0; i < driver->refs.ref_count; i++)
        if (driver->refs.refs[i].source == SOURCE_CODE && driver->refs.refs[i].site_rva == site_rva)
            return &driver->refs.refs[i];
    return NULL;
}

static inline bool case_is_code(const struct code_case *driver, uint32_t rva)
{
    return code_class_at(&driver->map, rva) == BYTE_INSTRUCTION;
}

#endif
