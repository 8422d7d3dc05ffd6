/* test_straddle.c - what the plan makes of base relocations that cross a page boundary, in small drivers that
 * are written byte by byte. Expected bytes are written down from the instruction set, not from the tool.
 *
 *     .text  0x1000  RX  0x2000 bytes of CC; the entry point is its first byte
 *     .data  0x3000  RW (or as the case says)  0x2000 bytes of 0
 *     .reloc 0x5000 */
#include "cmocka_all.h"

#include "make_image.h"
#include "rewrite_image.h"

enum { TEXT = 0x1000, DATA = 0x3000, RELOC = 0x5000, TEXT_NBYTES = 0x2000, DATA_NBYTES = 0x2000 };

struct straddle_case {
    struct made_image made;
    uint8_t text[TEXT_NBYTES], data[DATA_NBYTES];
    uint32_t data_characteristics;
    uint32_t relocated[256];
    size_t relocated_count;
    struct rewritten done;
};

static struct straddle_case *begin(uint16_t machine)
{
    struct straddle_case *driver = calloc(1, sizeof *driver);
    assert_non_null(driver);
    driver->made = make_image(machine);
    driver->made.entry_rva = TEXT;
    driver->data_characteristics = MADE_DATA;
    memset(driver->text, 0xCC, sizeof driver->text);
    driver->text[0] = 0xC3;
    return driver;
}

/* A field of the machine's width at rva that holds the address of target_rva. */
static void relocate(struct straddle_case *driver, uint32_t rva, uint32_t target_rva)
{
    uint8_t *bytes = rva < DATA ? driver->text + (rva - TEXT) : driver->data + (rva - DATA);
    if (made_is_64(&driver->made))
        store_u64(bytes, driver->made.image_base_va + target_rva);
    else
        store_u32(bytes, (uint32_t)driver->made.image_base_va + target_rva);
    driver->relocated[driver->relocated_count++] = rva;
}

static void code(struct straddle_case *driver, uint32_t rva, const char *bytes, size_t nbytes)
{
    memcpy(driver->text + (rva - TEXT), bytes, nbytes);
}
#define CODE(driver, rva, literal) code(driver, rva, literal, sizeof(literal) - 1)

static void rewrite_only(struct straddle_case *driver, enum windows_target target,
                         const enum finding_code *only, size_t only_count)
{
    make_section(&driver->made, ".text", TEXT, MADE_TEXT, driver->text, sizeof driver->text);
    make_section(&driver->made, ".data", DATA, driver->data_characteristics, driver->data,
                 sizeof driver->data);
    make_relocations(&driver->made, RELOC, driver->relocated, driver->relocated_count);
    struct span file = make_file(&driver->made);
    if (!rewrite_image_for(&driver->done, file, target, only, only_count))
        fail_msg("%s", driver->done.error.message);
}

static void rewrite(struct straddle_case *driver)
{
    rewrite_only(driver, TARGET_1607, NULL, 0);
}

static void end(struct straddle_case *driver)
{
    rewritten_free(&driver->done);
    make_free(&driver->made);
    free(driver);
}

/* Bytes of the output at an RVA, found by its own section table. */
static const uint8_t *new_bytes(const struct straddle_case *driver, uint32_t rva, uint32_t nbytes)
{
    const uint8_t *file = driver->done.output.bytes;
    assert_int_equal(driver->done.plan.verdict, PLAN_CHANGE);
    assert_true(driver->done.emitted);
    uint32_t count = load_u16(file + made_coff_foff() + COFF_NUMBER_OF_SECTIONS);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *header = file + made_section_header_foff(&driver->made, i);
        uint32_t begin_rva = load_u32(header + SECTION_VIRTUAL_ADDRESS);
        if (rva >= begin_rva && rva + nbytes <= begin_rva + load_u32(header + SECTION_SIZE_OF_RAW_DATA))
            return file + load_u32(header + SECTION_POINTER_TO_RAW_DATA) + (rva - begin_rva);
    }
    fail_msg("no section has RVA 0x%X", rva);
    return NULL;
}

static uint32_t new_u32(const struct straddle_case *driver, uint32_t rva)
{
    return load_u32(new_bytes(driver, rva, 4));
}

/* The RVAs of the new base relocation table, in its order; fails when there are not `count`. */
static void expect_relocations(const struct straddle_case *driver, const uint32_t *expected, size_t count)
{
    const uint8_t *entry = driver->done.output.bytes + made_directory_foff(&driver->made, DIR_BASERELOC);
    uint32_t rva = load_u32(entry), end_rva = rva + load_u32(entry + 4);
    size_t at = 0;
    while (rva < end_rva) {
        uint32_t page = new_u32(driver, rva), nbytes = new_u32(driver, rva + 4);
        for (uint32_t i = 8; i < nbytes; i += 2) {
            uint16_t word = load_u16(new_bytes(driver, rva + i, 2));
            if (word >> 12 == 0)
                continue;
            if (at < count)
                assert_int_equal(page + (word & 0xFFF), expected[at]);
            at++;
        }
        rva += nbytes;
    }
    assert_int_equal(at, count);
}

static void expect_bytes(const struct straddle_case *driver, uint32_t rva, const char *expected,
                         size_t nbytes)
{
    assert_memory_equal(new_bytes(driver, rva, (uint32_t)nbytes), expected, nbytes);
}
#define EXPECT_BYTES(driver, rva, literal) expect_bytes(driver, rva, literal, sizeof(literal) - 1)

static void expect_refused(const struct straddle_case *driver, const char *words)
{
    assert_int_equal(driver->done.plan.verdict, PLAN_REFUSED);
    const struct finding *refusal = &driver->done.plan.refusals.items[0];
    if (!strstr(refusal->message, words))
        fail_msg("refused otherwise: %s", refusal->message);
    assert_non_null(refusal->cure);
}

/* Two operands in one instruction. .reloc is one page, so .hvcode begins at 0x6000. */
static void test_x86_copies(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    CODE(driver, 0x1000, "\xE9\xF6\x0F\x00\x00"); /* jmp 1FFB */
    CODE(driver, 0x1FFB, "\xC7\x05........\xC3"); /* mov dword [data+4], data; ret */
    relocate(driver, 0x1FFD, DATA + 4);
    relocate(driver, 0x2001, DATA);
    relocate(driver, 0x3010, TEXT);
    rewrite(driver);
    EXPECT_BYTES(driver, 0x1FFB, "\xE9\x00\x40\x00\x00\xCC\xCC\xCC\xCC\xCC");
    EXPECT_BYTES(driver, 0x6000,
                 "\xC7\x05\x04\x30\x01\x00\x00\x30\x01\x00"
                 "\xE9\xF6\xBF\xFF\xFF\xCC");
    static const uint32_t relocations[] = {0x3010, 0x6002, 0x6006};
    expect_relocations(driver, relocations, 3);
    end(driver);
}

static void test_x86_jump_does_not_come_back(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    CODE(driver, 0x1000, "\xE9\xF6\x0F\x00\x00"); /* jmp 1FFB */
    CODE(driver, 0x1FFB, "\xFF\x25....");         /* jmp [data] */
    relocate(driver, 0x1FFD, DATA);
    relocate(driver, 0x3010, TEXT);
    rewrite(driver);
    EXPECT_BYTES(driver, 0x1FFB, "\xE9\x00\x40\x00\x00\xCC\xCC");
    EXPECT_BYTES(driver, 0x6000, "\xFF\x25\x00\x30\x01\x00\xCC\xCC");
    end(driver);
}

static void test_x86_branch_into_the_middle(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    /* jz 1FFD is the second byte of `mov eax, [data]`: A1 and the address */
    CODE(driver, 0x1000, "\x0F\x84\xF7\x0F\x00\x00\xE9\xF1\x0F\x00\x00");
    CODE(driver, 0x1FFC, "\xA1....\xC3");
    relocate(driver, 0x1FFD, DATA);
    relocate(driver, 0x3010, TEXT);
    rewrite(driver);
    expect_refused(driver, "into the middle of it");
    end(driver);
}

/* Kernels for one processor overwrite the prefixes that this list names. */
static void test_x86_lock_prefix(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    CODE(driver, 0x1000, "\xE9\xF6\x0F\x00\x00"); /* jmp 1FFB */
    CODE(driver, 0x1FFB, "\xF0\xFF\x05....\xC3"); /* lock inc dword [data]; ret */
    relocate(driver, 0x1FFE, DATA);
    store_u32(driver->data + 0x100 + LC_SIZE, 0x48);
    relocate(driver, DATA + 0x100 + LC_LOCK_PREFIX_TABLE_32, DATA + 0x200);
    relocate(driver, DATA + 0x200, 0x1FFB); /* a 0 ends the list */
    make_directory(&driver->made, DIR_LOAD_CONFIG, DATA + 0x100, 0x48);
    rewrite(driver);
    expect_refused(driver, "so that Windows changes it");
    end(driver);
}

static void test_x86_data_in_code(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    relocate(driver, 0x1FFD, DATA);
    relocate(driver, 0x3010, TEXT);
    rewrite(driver);
    expect_refused(driver, "not an operand of code that is decoded");
    end(driver);
}

/* The field at 0x3FFC leaves; the one at 0x3010 stays. .hvcode at 0x6000, .hvdata at 0x7000. */
static void test_x64_stub(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, DATA + 8);
    rewrite(driver);
    static const uint32_t relocations[] = {0x3010};
    expect_relocations(driver, relocations, 1);
    assert_int_equal(load_u32(driver->done.output.bytes + made_opt_foff() + OPT_ADDRESS_OF_ENTRY_POINT),
                     0x6000);
    EXPECT_BYTES(driver, 0x6000, "\xB8\x01\x00\x00\x00\x87\x05\xF5\x0F\x00\x00");
    EXPECT_BYTES(driver, 0x603E, "\xE9\xBD\xAF\xFF\xFF\xCC"); /* jmp 1000 */
    assert_int_equal(new_u32(driver, 0x6050), 0x3FFCU - 0x6050U);
    assert_int_equal(new_u32(driver, 0x6054), 0);
    assert_int_equal(new_u32(driver, 0x7000), 0);
    assert_int_equal(load_u64(new_bytes(driver, 0x3FFC, 8)), UINT64_C(0x140003008));
    end(driver);
}

static void test_x86_stub(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFE, DATA + 8);
    rewrite(driver);
    static const uint32_t relocations[] = {0x3010, 0x6007, 0x6010, 0x601C};
    expect_relocations(driver, relocations, 4);
    EXPECT_BYTES(driver, 0x6000, "\xB8\x01\x00\x00\x00\x87\x05\x00\x70\x01\x00\x85\xC0\x75\x1F");
    assert_int_equal(new_u32(driver, 0x6040), 0x3FFEU - 0x6040U);
    end(driver);
}

/* A table that fills its section to the last byte cannot grow there: it goes behind everything else. */
static void test_no_room_for_relocations(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_I386);
    for (uint32_t rva = 0x3800; driver->relocated_count < 251; rva += 8)
        relocate(driver, rva, TEXT);
    relocate(driver, 0x3FFE, DATA + 8);
    rewrite(driver);
    assert_int_equal(driver->made.directories[DIR_BASERELOC].nbytes, 0x200); /* two bytes an entry, and 8 */
    const uint8_t *entry = driver->done.output.bytes + made_directory_foff(&driver->made, DIR_BASERELOC);
    assert_int_equal(load_u32(entry), 0x8000); /* behind .hvcode and .hvdata */
    uint32_t relocations[254];
    for (size_t i = 0; i < 251; i++)
        relocations[i] = driver->relocated[i];
    relocations[251] = 0x6007;
    relocations[252] = 0x6010;
    relocations[253] = 0x601C;
    expect_relocations(driver, relocations, 254);
    for (uint32_t i = 0; i < 0x200; i += 4) /* nothing of the old one is left */
        assert_int_equal(new_u32(driver, RELOC + i), 0);
    end(driver);
}

/* Without --only a note is left alone; with it, the same repair for any target, and no other rule's. */
static void test_when_asked(void **state)
{
    (void)state;
    static const enum finding_code only[] = {HVCI2101_RELOCATION_STRADDLES};
    static const enum finding_code others[] = {HVCI2005_IAT_EXECUTABLE};
    struct straddle_case *driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, DATA + 8);
    rewrite_only(driver, TARGET_1703, NULL, 0);
    assert_int_equal(driver->done.findings.count, 1);
    assert_int_equal(driver->done.plan.verdict, PLAN_NO_CHANGE);
    rewritten_free(&driver->done);

    struct span file = {driver->made.file, driver->made.file_nbytes};
    assert_true(rewrite_image_for(&driver->done, file, TARGET_1703, only, 1));
    assert_int_equal(driver->done.plan.verdict, PLAN_CHANGE);
    rewritten_free(&driver->done);

    assert_true(rewrite_image_for(&driver->done, file, TARGET_1607, others, 1));
    assert_int_equal(driver->done.plan.verdict, PLAN_NO_CHANGE);
    end(driver);
}

static void test_places_that_refuse(void **state)
{
    (void)state;
    static const struct {
        uint32_t characteristics;
        const char *words;
    } cases[] = {
        {MADE_RDATA, "is read-only"},
        {MADE_DATA | SCN_MEM_DISCARDABLE, "is discardable"},
        {MADE_RDATA | SCN_MEM_EXECUTE, "is executable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct straddle_case *driver = begin(MACHINE_AMD64);
        driver->data_characteristics = cases[i].characteristics;
        /* One across the boundary, and one that each shift would bring there. */
        for (uint32_t shift_nbytes = 0x800; shift_nbytes >= 0x10; shift_nbytes /= 2)
            relocate(driver, 0x3FFC - shift_nbytes, TEXT);
        relocate(driver, 0x3FFC, TEXT);
        rewrite(driver);
        expect_refused(driver, cases[i].words);
        end(driver);
    }
}

/* Constants move inside their pages, by the first of 0x800, 0x400... that takes all off the boundary; code
 * that reads them follows. */
static void test_shift(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_AMD64);
    driver->data_characteristics = MADE_RDATA;
    CODE(driver, 0x1000, "\x48\x8B\x05\xF9\x1F\x00\x00\xC3"); /* mov rax, [3000]; ret */
    relocate(driver, 0x37FC, TEXT);                           /* 0x800 is not possible */
    relocate(driver, 0x3FFC, DATA + 8);
    rewrite(driver);
    static const uint32_t relocations[] = {0x6BFC, 0x73FC};
    expect_relocations(driver, relocations, 2);
    EXPECT_BYTES(driver, 0x1000, "\x48\x8B\x05\xF9\x53\x00\x00\xC3"); /* mov rax, [6400] */
    assert_int_equal(load_u64(new_bytes(driver, 0x73FC, 8)), UINT64_C(0x140006408));
    assert_int_equal(new_u32(driver, 0x3FFC), 0);
    end(driver);
}

static void test_overlapping_fields(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3FFA, TEXT);
    relocate(driver, 0x4000, TEXT);
    rewrite(driver);
    expect_refused(driver, "change the same bytes");
    end(driver);
}

static void test_nothing_else_is_relocated(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3FFC, TEXT);
    rewrite(driver);
    expect_refused(driver, "whose table is empty");
    end(driver);
}

static void test_user_mode(void **state)
{
    (void)state;
    static const enum finding_code only[] = {HVCI2101_RELOCATION_STRADDLES};
    struct straddle_case *driver = begin(MACHINE_AMD64);
    driver->made.subsystem = SUBSYSTEM_WINDOWS_CUI;
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, TEXT);
    rewrite_only(driver, TARGET_1607, only, 1);
    expect_refused(driver, "does not judge this image");
    end(driver);
}

static void test_start_that_refuses(void **state)
{
    (void)state;
    struct straddle_case *driver = begin(MACHINE_AMD64);
    driver->made.entry_rva = 0;
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, TEXT);
    rewrite(driver);
    expect_refused(driver, "no entry point");
    end(driver);

    driver = begin(MACHINE_AMD64);
    driver->made.coff_characteristics |= COFF_DLL;
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, TEXT);
    rewrite(driver);
    expect_refused(driver, "exports no DllInitialize");
    end(driver);
}

/* What was repaired so once cannot be moved again: its table is made of distances. */
static void test_repaired_before(void **state)
{
    (void)state;
    static const enum finding_code only[] = {HVCI2101_RELOCATION_STRADDLES};
    struct straddle_case *driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, DATA + 8);
    rewrite(driver);
    assert_true(driver->done.emitted);
    struct rewritten again;
    struct span file = {driver->done.output.bytes, driver->done.output.nbytes};
    assert_true(rewrite_image_for(&again, file, TARGET_1607, NULL, 0));
    assert_int_equal(again.findings.count, 0);
    assert_int_equal(again.plan.verdict, PLAN_NO_CHANGE);
    rewritten_free(&again);
    end(driver);

    driver = begin(MACHINE_AMD64);
    relocate(driver, 0x3010, TEXT);
    relocate(driver, 0x3FFC, DATA + 8);
    rewrite_only(driver, TARGET_1607, only, 1);
    assert_int_equal(driver->done.plan.verdict, PLAN_CHANGE);
    memcpy(driver->made.file + made_section_header_foff(&driver->made, 1), ".hvcode", 8);
    rewritten_free(&driver->done);
    file = (struct span){driver->made.file, driver->made.file_nbytes};
    assert_true(rewrite_image_for(&driver->done, file, TARGET_1607, NULL, 0));
    expect_refused(driver, "taken out of the table before");
    end(driver);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86_copies),
        cmocka_unit_test(test_x86_jump_does_not_come_back),
        cmocka_unit_test(test_x86_branch_into_the_middle),
        cmocka_unit_test(test_x86_lock_prefix),
        cmocka_unit_test(test_x86_data_in_code),
        cmocka_unit_test(test_x64_stub),
        cmocka_unit_test(test_x86_stub),
        cmocka_unit_test(test_no_room_for_relocations),
        cmocka_unit_test(test_when_asked),
        cmocka_unit_test(test_places_that_refuse),
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_overlapping_fields),
        cmocka_unit_test(test_nothing_else_is_relocated),
        cmocka_unit_test(test_user_mode),
        cmocka_unit_test(test_start_that_refuses),
        cmocka_unit_test(test_repaired_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
