/* test_keep_distances.c - layouts in which all data moves by one distance, and addresses among code that mean
 * data. Expected values are written down from the rules: code stays (page-aligned) or moves by a page
 * (low-aligned), all data moves by the distance that takes its first page behind everything else. */
#include "layout_case.h"

#include "plan/rewrite.h"

enum {
    CODE_DELTA = 0x1000, /* of low-aligned code: it starts behind the header page */
    DATA_DELTA = 0x2000  /* and data on the page behind the only one with code */
};

static uint32_t va(const struct low_case *driver, uint32_t rva)
{
    return (uint32_t)driver->made.image_base_va + rva;
}

enum outcome_wanted { MEANS_CODE, MEANS_DATA, REFUSED };

/* An immediate of code leads among instructions. */
static void test_address_among_code(void **state)
{
    static const struct {
        const char *code; /* dots stand for the immediate */
        size_t nbytes;
        uint32_t target;
        uint8_t wanted;
    } cases[] = {
        /* CONTAINING_RECORD(&head, T, link): mov ecx, offset of an instruction; cmp eax, ecx; ret */
        {"\xB9....\x33\xD2\x3B\xC1\xC3", 10, 7, MEANS_DATA},
        /* the same into the middle of an instruction */
        {"\xB9....\x33\xD2\x3B\xC1\xC3", 10, 8, MEANS_DATA},
        /* to a function: mov; cmp; call it; ret; another function */
        {"\xB9....\x3B\xC1\xE8\x04\x00\x00\x00\xC3\xCC\xCC\xCC\xC3", 17, 16, MEANS_CODE},
        /* passed: push offset of an instruction; call eax; xor; ret: a place in the code, or an object? */
        {"\x68....\x33\xD2\xFF\xD0\x33\xC0\xC3", 12, 7, REFUSED},
        /* passed to a call that returns there: push; call; xor; ret */
        {"\x68....\xFF\xD0\x33\xC0\xC3", 10, 7, MEANS_CODE},
        /* a handler of C++ exceptions says where to go on: je over; mov eax, place; ret; over: xor; place: */
        {"\x74\x06\xB8....\xC3\x33\xC0\x33\xD2\xC3", 13, 10, MEANS_CODE},
        /* the same place is stored: je over; mov eax, place; mov [ecx], eax; ret; over: xor; place: */
        {"\x74\x08\xB8....\x89\x01\xC3\x33\xC0\x33\xD2\xC3", 15, 12, REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct low_case driver;
        uint32_t dots = (uint32_t)(strstr(cases[i].code, "....") - cases[i].code);
        low_begin(&driver, MACHINE_I386);
        low_put(&driver, LOW_TEXT_RVA, cases[i].code, cases[i].nbytes);
        low_put_va(&driver, LOW_TEXT_RVA + dots, LOW_TEXT_RVA + cases[i].target);
        low_put_va(&driver, LOW_DATA_RVA + 0x10, LOW_TEXT_RVA);
        low_rewrite(&driver);
        if (cases[i].wanted == REFUSED) {
            low_expect_refused(&driver, LOW_TEXT_RVA + dots - 1, "lies among code");
        } else {
            uint32_t delta = cases[i].wanted == MEANS_CODE ? CODE_DELTA : DATA_DELTA;
            low_expect_moved(&driver);
            assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + CODE_DELTA + dots),
                             va(&driver, LOW_TEXT_RVA + cases[i].target + delta));
        }
        low_end(&driver);
    }
}

/* A pointer in data to a place that the function itself branches to, 0x40 bytes in front of an array: it may
 * be the array's. One to the function's begin is the function's. */
static void test_pointer_to_inner_label(void **state)
{
    (void)state;
    for (int is_inner = 0; is_inner < 2; is_inner++) {
        struct low_case driver;
        uint32_t function = LOW_DATA_RVA - 0x40;
        low_begin(&driver, MACHINE_I386);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xE9");
        low_put_rel(&driver, at, function, 0);
        /* je inner; jmp out; inner: xor eax, eax; out: ret */
        LOW_PUT(&driver, function, "\x74\x02\xEB\x02\x33\xC0\xC3");
        low_put_va(&driver, LOW_DATA_RVA + 0x10, function + (is_inner ? 4 : 0));
        low_rewrite(&driver);
        if (is_inner) {
            low_expect_refused(&driver, LOW_DATA_RVA + 0x10, "may mean what lies on either side");
        } else {
            low_expect_moved(&driver);
            assert_int_equal(low_new_u32(&driver, LOW_DATA_RVA + DATA_DELTA + 0x10),
                             va(&driver, function + CODE_DELTA));
        }
        low_end(&driver);
    }
}

/* table[code - x] with a large x: the address lies outside the image. It means data, unless bytes in a code
 * section may be a table as well. */
static void test_index_leads_out_of_the_image(void **state)
{
    (void)state;
    for (int is_unknown = 0; is_unknown < 2; is_unknown++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\x8B\x04\x85"); /* mov eax, [eax * 4 + ...] */
        at = low_put_va(&driver, at, LOW_DATA_RVA - 0x10000U);
        LOW_PUT(&driver, at, "\xC3");
        if (is_unknown)
            LOW_PUT(&driver, LOW_TEXT_RVA + 0x80, "\x06\x0E\x16\x1E\x27\x2F\x37\x3F");
        low_rewrite(&driver);
        if (is_unknown) {
            low_expect_refused(&driver, LOW_TEXT_RVA, "leads out of the image");
        } else {
            low_expect_moved(&driver);
            assert_int_equal(low_new_u32(&driver, LOW_TEXT_RVA + CODE_DELTA + 3),
                             va(&driver, LOW_DATA_RVA + DATA_DELTA - 0x10000U));
        }
        low_end(&driver);
    }
}

/* A page-aligned image: .text (RWX) holds a variable that leaves, an index into .rdata may mean it as well.
 */
static void test_page_aligned(void **state)
{
    enum { TEXT = 0x1000, VARIABLE = 0x1100, RDATA = 0x2000, MORE = 0x3000, RELOC = 0x4000, DELTA = 0x4000 };
    uint8_t text[0x180], rdata[0x100], more[0x10];
    struct made_image made = make_image(MACHINE_I386);
    uint32_t base = (uint32_t)made.image_base_va;
    static const uint32_t sites[] = {TEXT + 3, TEXT + 8, VARIABLE + 0x10};
    struct rewritten done;
    (void)state;
    memset(text, 0xCC, sizeof text);
    memset(rdata, 0x11, sizeof rdata);
    memset(more, 0xC3, sizeof more);
    memset(text + (VARIABLE - TEXT), 0x22, sizeof text - (VARIABLE - TEXT));
    memcpy(text, "\x8B\x04\x85....\xA3....\xC3", 13); /* mov eax, [eax * 4 + .rdata]; mov [variable], eax */
    store_u32(text + 3, base + RDATA + 0x10);
    store_u32(text + 8, base + VARIABLE);
    store_u32(text + (VARIABLE - TEXT) + 0x10, base + MORE);
    made.entry_rva = TEXT;
    make_section(&made, ".text", TEXT, MADE_TEXT | SCN_MEM_WRITE, text, sizeof text);
    make_section(&made, ".rdata", RDATA, MADE_RDATA, rdata, sizeof rdata);
    make_section(&made, "PAGE", MORE, MADE_TEXT, more, sizeof more);
    make_relocations(&made, RELOC, sites, sizeof sites / sizeof sites[0]);
    assert_true(rewrite_image(&done, make_file(&made), NULL, 0));
    for (size_t i = 0; i < done.plan.refusals.count; i++)
        print_message("refused: %s\n", done.plan.refusals.items[i].message);
    assert_int_equal(done.plan.verdict, PLAN_CHANGE);
    assert_true(done.emitted);
    assert_true(done.plan.layout->keeps_distances);

    static const struct {
        const char *name;
        uint32_t rva, nbytes, characteristics;
    } expected[] = {{".text", TEXT, 0x180, 0x60000020},
                    {".hvhole", RDATA, 0x100, 0x48000040}, /* no data in the file */
                    {"PAGE", MORE, 0x10, 0x60000020},
                    {".reloc", RELOC, 0, 0x42000040},
                    {".hvdata", TEXT + DELTA, 0x180, 0xC8000040},
                    {".rdata", RDATA + DELTA, 0x100, 0x40000040}};
    const uint8_t *file = done.output.bytes, *headers[6];
    assert_int_equal(load_u16(file + made_coff_foff() + COFF_NUMBER_OF_SECTIONS), 6);
    for (uint32_t i = 0; i < 6; i++) {
        headers[i] = file + made_section_header_foff(&made, i);
        assert_memory_equal(headers[i], expected[i].name, strlen(expected[i].name));
        assert_int_equal(load_u32(headers[i] + SECTION_VIRTUAL_ADDRESS), expected[i].rva);
        assert_int_equal(load_u32(headers[i] + SECTION_CHARACTERISTICS), expected[i].characteristics);
        if (expected[i].nbytes != 0)
            assert_int_equal(load_u32(headers[i] + SECTION_VIRTUAL_SIZE), expected[i].nbytes);
    }
    assert_int_equal(load_u32(headers[1] + SECTION_SIZE_OF_RAW_DATA), 0);
    const uint8_t *code = file + load_u32(headers[0] + SECTION_POINTER_TO_RAW_DATA),
                  *data = file + load_u32(headers[4] + SECTION_POINTER_TO_RAW_DATA),
                  *constants = file + load_u32(headers[5] + SECTION_POINTER_TO_RAW_DATA);
    assert_int_equal(load_u32(code + 3), base + RDATA + 0x10 + DELTA);
    assert_int_equal(load_u32(code + 8), base + VARIABLE + DELTA);
    assert_int_equal(load_u32(code + (VARIABLE - TEXT)), 0xCCCCCCCC);
    assert_int_equal(load_u32(data + (VARIABLE - TEXT)), 0x22222222);
    assert_int_equal(load_u32(data + (VARIABLE - TEXT) + 0x10), base + MORE);
    assert_int_equal(load_u32(constants), 0x11111111);
    rewritten_free(&done);
    make_free(&made);
}

/* A section is the linker's own when its table fills it. One that only begins with a table holds other data,
 * too: an array that code may index. */
static void test_section_that_begins_with_a_table(void **state)
{
    (void)state;
    static const struct {
        uint32_t nbytes;
        bool is_table;
    } cases[] = {{0x100, true}, {0xF4, true}, {0xF0, false}, {0x0C, false}}; /* of 0x100 */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct low_case driver;
        low_begin(&driver, MACHINE_I386);
        LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
        low_put_va(&driver, LOW_DATA_RVA + 0x10, LOW_TEXT_RVA);
        make_directory(&driver.made, DIR_EXPORT, LOW_DATA_RVA, cases[i].nbytes);
        low_rewrite(&driver);
        assert_int_equal(table_fills_section_at(&driver.done.image, LOW_DATA_RVA), cases[i].is_table);
        assert_false(table_fills_section_at(&driver.done.image, LOW_DATA_RVA + 0x10));
        assert_false(table_fills_section_at(&driver.done.image, LOW_TEXT_RVA));
        low_end(&driver);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_among_code),
        cmocka_unit_test(test_pointer_to_inner_label),
        cmocka_unit_test(test_index_leads_out_of_the_image),
        cmocka_unit_test(test_page_aligned),
        cmocka_unit_test(test_section_that_begins_with_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
