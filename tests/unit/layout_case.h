/* layout_case.h - a small low-aligned driver for tests of moving rewrites, written instruction by
 * instruction. Takes: bytes put at RVAs.  Gives: the rewritten image read as bytes by new RVA. Must not:
 * expect anything.
 *
 *     .text  0x400  RX  0x200 bytes of CC; the entry point is its first byte
 *     .data  0x600  RW  0x100 bytes of 11
 *     .pad   0x700  RX  0x80 bytes of CC: a second code section on the same page
 *     .reloc 0x800  R   when case_reloc() was called */
#ifndef HVCIFIX_TESTS_LAYOUT_CASE_H
#define HVCIFIX_TESTS_LAYOUT_CASE_H

#include "cmocka_all.h"
#include "make_image.h"
#include "rewrite_image.h"

enum { LOW_TEXT_RVA = 0x400, LOW_DATA_RVA = 0x600, LOW_MORE_RVA = 0x700, LOW_RELOC_RVA = 0x800 };

struct low_case {
    struct made_image made;
    uint8_t bytes[0x480]; /* RVA 0x400 to 0x87F */
    uint32_t relocated[16];
    size_t relocated_count;
    struct rewritten done;
};

static inline void low_begin(struct low_case *driver, uint16_t machine)
{
    memset(driver, 0, sizeof *driver);
    driver->made = make_image(machine);
    driver->made.section_alignment = driver->made.file_alignment = 0x80;
    driver->made.entry_rva = LOW_TEXT_RVA;
    memset(driver->bytes, 0xCC, sizeof driver->bytes);
    memset(driver->bytes + (LOW_DATA_RVA - LOW_TEXT_RVA), 0x11, 0x100);
}

static inline uint8_t *low_at(struct low_case *driver, uint32_t rva)
{
    assert_true(rva >= LOW_TEXT_RVA && rva < LOW_TEXT_RVA + sizeof driver->bytes);
    return driver->bytes + (rva - LOW_TEXT_RVA);
}

#define LOW_PUT(driver, rva, literal) low_put(driver, rva, literal, sizeof(literal) - 1)
static inline uint32_t low_put(struct low_case *driver, uint32_t rva, const char *bytes, size_t nbytes)
{
    memcpy(low_at(driver, rva), bytes, nbytes);
    return rva + (uint32_t)nbytes;
}

static inline uint32_t low_put_u32(struct low_case *driver, uint32_t rva, uint32_t value)
{
    store_u32(low_at(driver, rva), value);
    return rva + 4;
}

/* A field of 4 bytes that holds the address of target_rva, with a base relocation (x86). */
static inline uint32_t low_put_va(struct low_case *driver, uint32_t rva, uint32_t target_rva)
{
    driver->relocated[driver->relocated_count++] = rva;
    return low_put_u32(driver, rva, (uint32_t)driver->made.image_base_va + target_rva);
}

/* A field relative to the instruction's end, which is `trailing` bytes behind it. */
static inline uint32_t low_put_rel(struct low_case *driver, uint32_t rva, uint32_t target_rva,
                                   uint32_t trailing)
{
    return low_put_u32(driver, rva, target_rva - (rva + 4 + trailing));
}

/* Makes the file and rewrites it. */
static inline void low_rewrite(struct low_case *driver)
{
    make_section(&driver->made, ".text", LOW_TEXT_RVA, MADE_TEXT, low_at(driver, LOW_TEXT_RVA), 0x200);
    make_section(&driver->made, ".data", LOW_DATA_RVA, MADE_DATA, low_at(driver, LOW_DATA_RVA), 0x100);
    make_section(&driver->made, "PAGEmore", LOW_MORE_RVA, MADE_TEXT, low_at(driver, LOW_MORE_RVA), 0x80);
    if (driver->relocated_count != 0)
        make_relocations(&driver->made, LOW_RELOC_RVA, driver->relocated, driver->relocated_count);
    struct span file = make_file(&driver->made);
    if (!rewrite_image(&driver->done, file, NULL, 0))
        fail_msg("%s", driver->done.error.message);
}

static inline void low_end(struct low_case *driver)
{
    rewritten_free(&driver->done);
    make_free(&driver->made);
}

static inline void low_expect_moved(const struct low_case *driver)
{
    for (size_t i = 0; i < driver->done.plan.refusals.count; i++)
        print_message("refused: %s\n", driver->done.plan.refusals.items[i].message);
    assert_int_equal(driver->done.plan.verdict, PLAN_CHANGE);
    assert_non_null(driver->done.plan.layout);
    if (!driver->done.emitted)
        fail_msg("%s", driver->done.error.message);
}

static inline void low_expect_refused(const struct low_case *driver, uint32_t rva, const char *words)
{
    assert_int_equal(driver->done.plan.verdict, PLAN_REFUSED);
    const struct finding *refusal = &driver->done.plan.refusals.items[0];
    if (!strstr(refusal->message, words))
        fail_msg("refused otherwise: %s", refusal->message);
    assert_int_equal(refusal->rva, rva);
    assert_non_null(refusal->cure);
}

/* Header of the section of the output that has file bytes for 4 bytes at a new RVA, read from its table
 * alone. */
static inline const uint8_t *low_new_section(const struct low_case *driver, uint32_t rva)
{
    const uint8_t *file = driver->done.output.bytes;
    uint32_t count = load_u16(file + made_coff_foff() + COFF_NUMBER_OF_SECTIONS);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *header = file + made_section_header_foff(&driver->made, i);
        uint32_t section_rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
        if (rva >= section_rva && rva - section_rva + 4 <= load_u32(header + SECTION_SIZE_OF_RAW_DATA))
            return header;
    }
    fail_msg("no section has RVA 0x%X", rva);
    return file;
}

static inline uint32_t low_new_u32(const struct low_case *driver, uint32_t rva)
{
    const uint8_t *header = low_new_section(driver, rva);
    return load_u32(driver->done.output.bytes + load_u32(header + SECTION_POINTER_TO_RAW_DATA) +
                    (rva - load_u32(header + SECTION_VIRTUAL_ADDRESS)));
}

static inline uint32_t low_new_characteristics(const struct low_case *driver, uint32_t rva)
{
    return load_u32(low_new_section(driver, rva) + SECTION_CHARACTERISTICS);
}

#endif
