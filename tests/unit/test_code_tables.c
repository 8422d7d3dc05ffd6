/* test_code_tables.c - jump tables of each form, where they end, and what they must not swallow.
 * Takes: hand-assembled switches.  Gives: pass or fail. */
#include "code_case.h"

enum { CASES_RVA = CASE_TEXT_RVA + 0x100, CASE_NBYTES = 0x10 };

/* Blocks of `xor eax, eax; ret`, 16 bytes apart, that only tables lead to. */
static void put_cases(struct code_case *driver, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CASE_PUT(driver, CASES_RVA + i * CASE_NBYTES, "\x33\xC0\xC3");
}

static void expect_cases(const struct code_case *driver, uint32_t count, uint32_t none_after)
{
    for (uint32_t i = 0; i < count; i++)
        if (!case_is_code(driver, CASES_RVA + i * CASE_NBYTES))
            fail_msg("case %u is not code", i);
    for (uint32_t i = count; i < none_after; i++)
        if (case_is_code(driver, CASES_RVA + i * CASE_NBYTES))
            fail_msg("case %u is code", i);
}

static void expect_table(const struct code_case *driver, uint32_t rva, uint32_t nbytes)
{
    for (size_t i = 0; i < driver->refs.extent_count; i++) {
        const struct extent *extent = &driver->refs.extents[i];
        if (extent->kind == EXTENT_JUMP_TABLE && extent->rva == rva) {
            assert_int_equal(extent->nbytes, nbytes);
            return;
        }
    }
    fail_msg("no jump table at RVA 0x%X", rva);
}

static void expect_entry(const struct code_case *driver, uint32_t site_rva, enum ref_encoding encoding,
                         uint32_t target_rva)
{
    const struct ref *ref = case_ref(driver, site_rva);
    assert_non_null(ref);
    assert_int_equal(ref->encoding, encoding);
    assert_int_equal(ref->target, target_rva);
    assert_int_equal(ref->access, ACCESS_JUMP);
}

/* cmp eax, n; ja default; lea rdx, [rip->base]; mov ecx, [rdx+rax*4+T]; add rcx, rdx; jmp rcx */
static uint32_t put_rva_switch(struct code_case *driver, uint32_t rva, uint8_t last, uint32_t table_rva)
{
    rva = CASE_PUT(driver, rva, "\x83\xF8");
    *case_at(driver, rva++) = last;
    rva = CASE_PUT(driver, rva, "\x77\x14"); /* ja over the 20 bytes that follow */
    rva = CASE_PUT_REL(driver, rva, "\x48\x8D\x15", 0);
    rva = CASE_PUT(driver, rva, "\x8B\x8C\x82");
    case_put_u32(driver, rva, table_rva);
    rva = CASE_PUT(driver, rva + 4, "\x48\x03\xCA\xFF\xE1\x90");
    return CASE_PUT(driver, rva, "\xC3");
}

static void rva_table(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t table = CASE_TEXT_RVA + 0x80;
    uint32_t end = put_rva_switch(&driver, CASE_TEXT_RVA, 3, table);
    put_cases(&driver, 6);
    for (uint32_t i = 0; i < 6; i++) /* two more than the range check lets through */
        case_put_u32(&driver, table + 4 * i, CASES_RVA + i * CASE_NBYTES);
    case_read(&driver);
    assert_true(case_is_code(&driver, end - 1)); /* the default case */
    expect_cases(&driver, 4, 6);
    expect_table(&driver, table, 16);
    for (uint32_t i = 0; i < 4; i++)
        expect_entry(&driver, table + 4 * i, REF_RVA, CASES_RVA + i * CASE_NBYTES);
    assert_null(case_ref(&driver, table + 16));
    assert_int_equal(code_class_at(&driver.map, table), BYTE_DATA);
    case_end(&driver);
}

/* Two levels: movzx eax, byte [rdx+rax+X] selects the entry; the range check counts the bytes. */
static void rva_table_with_index(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t table = CASE_TEXT_RVA + 0x80, index = table + 12;
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\x83\xF8\x05\x77\x1A"); /* cmp eax, 5; ja default */
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x15", 0);                     /* lea rdx, [rip->base] */
    rva = CASE_PUT(&driver, rva, "\x0F\xB6\x84\x02");                        /* movzx eax, byte [rdx+rax+X] */
    case_put_u32(&driver, rva, index);
    rva = CASE_PUT(&driver, rva + 4, "\x8B\x8C\x82"); /* mov ecx, [rdx+rax*4+T] */
    case_put_u32(&driver, rva, table);
    rva = CASE_PUT(&driver, rva + 4, "\x48\x03\xCA\xFF\xE1"); /* add rcx, rdx; jmp rcx */
    CASE_PUT(&driver, rva, "\xC3");
    put_cases(&driver, 4);
    for (uint32_t i = 0; i < 3; i++)
        case_put_u32(&driver, table + 4 * i, CASES_RVA + i * CASE_NBYTES);
    CASE_PUT(&driver, index, "\x00\x02\x02\x01\x02\x00");
    case_read(&driver);
    expect_cases(&driver, 3, 4);
    expect_table(&driver, index, 6);
    expect_entry(&driver, table + 8, REF_RVA, CASES_RVA + 2 * CASE_NBYTES);
    assert_null(case_ref(&driver, table + 12));
    assert_int_equal(code_class_at(&driver.map, index + 5), BYTE_DATA);
    assert_int_not_equal(code_class_at(&driver.map, index + 6), BYTE_DATA);
    case_end(&driver);
}

/* cmp ecx, n; ja; lea rax, [rip->T]; movsxd rcx, [rax+rcx*4]; add rcx, rax; jmp rcx, as clang and gcc do. */
static void label_difference_table(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t table = CASE_RDATA_RVA + 0x20;
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\x83\xF9\x03\x77\x10");
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x05", table);
    rva = CASE_PUT(&driver, rva, "\x48\x63\x0C\x88\x48\x01\xC1\xFF\xE1");
    CASE_PUT(&driver, rva, "\xC3");
    put_cases(&driver, 5);
    for (uint32_t i = 0; i < 5; i++)
        case_put_u32(&driver, table + 4 * i, CASES_RVA + i * CASE_NBYTES - table);
    case_read(&driver);
    expect_cases(&driver, 4, 5);
    expect_table(&driver, table, 16);
    expect_entry(&driver, table + 12, REF_LABEL_DIFF, CASES_RVA + 3 * CASE_NBYTES);
    assert_int_equal(case_ref(&driver, table + 12)->base_rva, table);
    case_end(&driver);
}

/* Without a range check a mask bounds the table, and without either the next table or the function does. */
static void tables_without_range_check(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t masked = CASE_RDATA_RVA + 0x20, open = CASE_RDATA_RVA + 0x60;
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\x83\xE1\x01\x74\x10"); /* and ecx, 1; je 15h */
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x05", masked);
    rva = CASE_PUT(&driver, rva, "\x48\x63\x0C\x88\x48\x01\xC1\xFF\xE1");
    rva = CASE_PUT_REL(&driver, rva, "\x48\x8D\x05", open);
    CASE_PUT(&driver, rva, "\x48\x63\x14\x90\x48\x01\xC2\xFF\xE2"); /* the same with rdx, unchecked */
    put_cases(&driver, 6);
    for (uint32_t i = 0; i < 4; i++)
        case_put_u32(&driver, masked + 4 * i, CASES_RVA + i * CASE_NBYTES - masked);
    for (uint32_t i = 0; i < 2; i++)
        case_put_u32(&driver, open + 4 * i, CASES_RVA + (4 + i) * CASE_NBYTES - open);
    case_put_u32(&driver, open + 8, CASE_TEXT_RVA + 0x300 - open); /* outside of the function */
    CASE_PUT(&driver, CASE_TEXT_RVA + 0x300, "\x33\xC0\xC3");
    case_function(&driver, CASE_TEXT_RVA, CASES_RVA + 6 * CASE_NBYTES);
    case_read(&driver);
    expect_table(&driver, masked, 8);
    expect_table(&driver, open, 8);
    assert_false(case_is_code(&driver, CASE_TEXT_RVA + 0x300));
    case_end(&driver);
}

static void x86_address_table(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    uint32_t table = CASE_TEXT_RVA + 0x80;
    uint32_t rva = CASE_PUT(&driver, CASE_TEXT_RVA, "\x83\xF8\x03\x77\x07"); /* cmp eax, 3; ja default */
    rva = CASE_PUT_VA(&driver, rva, "\xFF\x24\x85", table);                  /* jmp [eax*4+T] */
    CASE_PUT(&driver, rva, "\xC3");
    put_cases(&driver, 5);
    for (uint32_t i = 0; i < 4; i++)
        CASE_PUT_VA(&driver, table + 4 * i, "", CASES_RVA + i * CASE_NBYTES);
    case_read(&driver);
    expect_cases(&driver, 4, 5);
    expect_table(&driver, table, 16);
    assert_null(case_ref(&driver, table)); /* its relocated entries are in the inventory already */
    assert_null(code_function_at(&driver.map, CASES_RVA)); /* a label is not a function */
    case_end(&driver);
}

/* Two levels, and no range check that was seen: the table ends where relocations end, the index where its
 * bytes name no entry. */
static void x86_address_table_with_index(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_I386);
    uint32_t table = CASE_TEXT_RVA + 0x80, index = table + 8;
    uint32_t rva = CASE_PUT_VA(&driver, CASE_TEXT_RVA, "\x0F\xB6\x80", index); /* movzx eax, byte [eax+X] */
    CASE_PUT_VA(&driver, rva, "\xFF\x24\x85", table);                          /* jmp [eax*4+T] */
    put_cases(&driver, 3);
    for (uint32_t i = 0; i < 2; i++)
        CASE_PUT_VA(&driver, table + 4 * i, "", CASES_RVA + i * CASE_NBYTES);
    CASE_PUT(&driver, index, "\x01\x00\x01"); /* CC, which follows, names no entry */
    case_read(&driver);
    expect_cases(&driver, 2, 3);
    expect_table(&driver, table, 8);
    expect_table(&driver, index, 3);
    assert_int_equal(code_class_at(&driver.map, index + 2), BYTE_DATA);
    assert_int_equal(code_class_at(&driver.map, index + 3), BYTE_PADDING);
    case_end(&driver);
}

/* A table behind a call that does not return, as Visual C++ places it: nothing of it becomes an instruction.
 */
static void table_behind_a_call_that_never_returns(void **state)
{
    (void)state;
    struct code_case driver;
    case_begin(&driver, MACHINE_AMD64);
    uint32_t end = put_rva_switch(&driver, CASE_TEXT_RVA, 3, CASE_TEXT_RVA + 0x40);
    uint32_t rva = CASE_PUT_REL(&driver, end - 1, "\xE8", CASE_INIT_RVA); /* call in the default case */
    while (rva < CASE_TEXT_RVA + 0x40)
        rva = CASE_PUT(&driver, rva, "\x90");
    CASE_PUT(&driver, CASE_INIT_RVA, "\xEB\xFE"); /* jmp to itself */
    put_cases(&driver, 4);
    for (uint32_t i = 0; i < 4; i++)
        case_put_u32(&driver, CASE_TEXT_RVA + 0x40 + 4 * i, CASES_RVA + i * CASE_NBYTES);
    case_function(&driver, CASE_TEXT_RVA, CASES_RVA + 4 * CASE_NBYTES);
    case_read(&driver);
    expect_cases(&driver, 4, 4);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(code_class_at(&driver.map, CASE_TEXT_RVA + 0x40 + i), BYTE_DATA);
    case_end(&driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rva_table),
        cmocka_unit_test(rva_table_with_index),
        cmocka_unit_test(label_difference_table),
        cmocka_unit_test(tables_without_range_check),
        cmocka_unit_test(x86_address_table),
        cmocka_unit_test(x86_address_table_with_index),
        cmocka_unit_test(table_behind_a_call_that_never_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
