/* test_verify_writes_bytes.c - what nothing decodes for certain: bytes that could be a store into a section
 * that loses MEM_WRITE count as one, unless something shows that they are text, data or the inside of an
 * instruction. Takes: small drivers, each with such bytes added.  Gives: pass or fail. */
#include "verify_writes_case.h"

/* Spaces decode as `and [rax], ah`, and " %X\n" with the zeros behind it as `and [rip + 0xA58], ah`. */
static void x64_text_between_functions_is_not_run(void **state)
{
    (void)state;
    static const char text[16] = "         %X\n";
    enum { TAKEN = 1, BOUNDED = 2 };
    static const struct {
        unsigned how;
        bool is_accepted;
    } cases[] = {{TAKEN, true}, {0, false}, {BOUNDED, false}, {TAKEN | BOUNDED, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_VARIABLE_RVA, text, sizeof text);
        if (cases[i].how & TAKEN) /* lea rcx, text */
            driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA, 0);
        else
            driver_put(&driver, DRIVER_SPARE_RVA, "\x90\x90\x90\x90\x90\x90\x90", 7);
        driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
        if (cases[i].how & BOUNDED) /* unwind data says that it is a function */
            add_function(&driver, DRIVER_VARIABLE_RVA, sizeof text);
        else
            add_function(&driver, DRIVER_SPARE_RVA, 8);
        if (cases[i].is_accepted)
            expect_unwritten_but_assumed(&driver, "text between functions, with 1 such fields");
        else
            expect_written(&driver, DRIVER_VARIABLE_RVA + 8, "stores into it, at RVA 0x4B56");
    }
}

/* The zero that ends one text and the begin of the next, L"%\n", decode as `add [rip + 0xA00], ah`: both have
 * to be text. */
static void x64_text_behind_text_is_not_run(void **state)
{
    (void)state;
    for (int takes_first = 0; takes_first <= 1; takes_first++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        driver_put(&driver, DRIVER_VARIABLE_RVA, "ZZZZZZZ\0%\0\n\0\0\0\0\0", 16);
        driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_VARIABLE_RVA + 8, 0);
        if (takes_first)
            driver_put_relative(&driver, DRIVER_SPARE_RVA + 7, "\x48\x8D\x15", 3, DRIVER_VARIABLE_RVA, 0);
        else
            driver_put(&driver, DRIVER_SPARE_RVA + 7, "\x90\x90\x90\x90\x90\x90\x90", 7);
        driver_put(&driver, DRIVER_SPARE_RVA + 14, "\xC3", 1);
        add_function(&driver, DRIVER_SPARE_RVA, 15);
        if (takes_first)
            expect_unwritten_but_assumed(&driver, "text between functions, with 1 such fields");
        else
            expect_written(&driver, DRIVER_VARIABLE_RVA + 7, "stores into it");
    }
}

/* An import lookup entry and the middle of a function's instruction decode, but no code begins there. */
static void x64_addresses_must_be_where_code_begins(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_INIT_RVA + 1, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x4001");

    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, DRIVER_LOOKUP_RVA + 0x10, "\x33\xC0\xC3", 3); /* looks like code, behind the table */
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_LOOKUP_RVA, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_written(&driver, DRIVER_SPARE_RVA, "takes the address of RVA 0x4140");

    /* An instruction inside a function that unwind data bounds is code. */
    driver = driver_make(MACHINE_AMD64);
    driver_put_relative(&driver, DRIVER_SPARE_RVA, "\x48\x8D\x0D", 3, DRIVER_INIT_RVA + 4, 0);
    driver_put(&driver, DRIVER_SPARE_RVA + 7, "\xC3", 1);
    expect_unwritten(&driver);
}

/* mov rax, imm64 whose bytes hold "mov [rip + d], eax" with d leading into INIT. */
static void x64_false_hits_inside_other_instructions_are_accepted(void **state)
{
    (void)state;
    for (unsigned has_unwind_data = 0; has_unwind_data < 2; has_unwind_data++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x40;
        driver_put(&driver, rva, "\x48\xB8", 2);
        driver_put_relative(&driver, rva + 2, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 8, "\x12\x34\xC3", 3);
        if (has_unwind_data)
            add_function(&driver, rva, 11);
        expect_unwritten(&driver);
    }
}

/* The same bytes where a start that nothing shows to be one, a 16-byte boundary, lies inside the instruction:
 * ignored while code plainly runs through, decided by unwind data, and counted when neither helps. */
static void x64_doubtful_starts_count_only_without_better_evidence(void **state)
{
    (void)state;
    static const struct {
        bool has_zeros_before, has_unwind_data, is_accepted;
    } cases[] = {{false, false, true}, {true, true, true}, {true, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x5E;
        if (cases[i].has_zeros_before)
            memset(driver_at(&driver, rva - 8), 0, 8);
        driver_put(&driver, rva, "\x48\xB8", 2);
        driver_put_relative(&driver, rva + 2, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 8, "\x12\x34\xC3", 3);
        if (cases[i].has_unwind_data)
            add_function(&driver, rva, 11);
        if (cases[i].is_accepted)
            expect_unwritten(&driver);
        else
            expect_written(&driver, rva + 2, "stores into it");
    }
}

/* jmp over the first two bytes of "mov rax, imm64", into a store that its immediate holds. */
static void x64_stores_hidden_in_other_instructions_are_found(void **state)
{
    (void)state;
    for (unsigned has_unwind_data = 0; has_unwind_data < 2; has_unwind_data++) {
        struct driver driver = driver_make(MACHINE_AMD64);
        uint32_t rva = DRIVER_SPARE_RVA + 0x40;
        driver_put(&driver, rva, "\xEB\x02\x48\xB8", 4);
        driver_put_relative(&driver, rva + 4, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
        driver_put(&driver, rva + 10, "\x90\x90\xC3", 3);
        if (has_unwind_data)
            add_function(&driver, rva, 13);
        expect_written(&driver, rva + 4, "stores into it");
    }
}

/* Unwind data bounds the bytes, but they are not one instruction after the other: a table lies between, or a
 * branch from behind leads into an immediate. Then the store that they may hold counts. */
static void x64_functions_that_do_not_decode_cleanly_prove_nothing(void **state)
{
    (void)state;
    uint32_t store_rva = DRIVER_SPARE_RVA + 0x50;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, store_rva - 3, "\xC3\x00\x81", 3); /* ret; two bytes that swallow what follows */
    driver_put_relative(&driver, store_rva, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, store_rva + 6, "\xC3", 1);
    add_function(&driver, store_rva - 3, 10);
    expect_written(&driver, store_rva, "stores into it");

    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, store_rva - 3, "\x48\xB8\x90", 3);
    driver_put_relative(&driver, store_rva, "\x89\x05", 2, DRIVER_VARIABLE_RVA, 0);
    driver_put(&driver, store_rva + 6, "\x90\xEB\xF7\xC3", 4); /* jmp to the store */
    add_function(&driver, store_rva - 3, 13);
    expect_written(&driver, store_rva, "stores into it");
}

/* Each would be taken for code but for one part of the criterion. */
static void data_that_decodes_is_not_taken_for_code(void **state)
{
    (void)state;
    uint32_t rva = DRIVER_SPARE_RVA + 0x50;

    /* "AB" in UTF-16, then a byte that is a return: aligned, valid, but not what compilers emit. */
    struct driver driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "A\0B\0\xC3", 5);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* Plain instructions where nothing marks a beginning. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "\x41\x41\x41\x41\x41\x33\xC0\xC3", 8);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva + 5);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* Plain instructions in a typed table. */
    driver = driver_make(MACHINE_AMD64);
    driver_put(&driver, rva, "\x33\xC0\xC3", 3);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    make_directory(&driver.made, DIR_RESOURCE, rva, 0x10);
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");

    /* A relocated field that no instruction has as its operand. */
    driver = driver_make(MACHINE_I386);
    driver.made.image_base_va = 0x90000000;
    memset(&driver.init, 0xCC, 0x40);
    driver.site_count = 0;
    driver_put(&driver, rva, "\xB8\x11", 2);
    driver_put_address(&driver, rva + 2, DRIVER_DATA_RVA);
    driver_put(&driver, rva + 6, "\xC3", 1);
    driver_put_address(&driver, DRIVER_DATA_RVA, rva);
    uint32_t later_rva = driver.sites[0];
    driver.sites[0] = driver.sites[1];
    driver.sites[1] = later_rva;
    expect_written(&driver, DRIVER_DATA_RVA, "which is not code");
}

/* Without relocations nothing lists the addresses; they are looked for at every byte. */
static void images_without_relocations_are_searched_byte_by_byte(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    driver.site_count = 0;
    expect_unwritten(&driver);
    driver = driver_make(MACHINE_AMD64);
    driver_put_address(&driver, DRIVER_DATA_RVA + 0x11, DRIVER_VARIABLE_RVA);
    driver.site_count = 0;
    driver.made.coff_characteristics |= COFF_RELOCS_STRIPPED;
    expect_written(&driver, DRIVER_DATA_RVA + 0x11, "leads to RVA 0x40F0");
    /* A kernel image that may be moved is never where it wants to be when that is below 4 GiB. */
    for (unsigned i = 0; i < 3; i++) {
        driver = driver_make(MACHINE_AMD64);
        driver.made.image_base_va = i == 2 ? 0x100000000 : 0x10000;
        driver_put_address(&driver, DRIVER_DATA_RVA + 0x11, DRIVER_VARIABLE_RVA);
        driver.site_count = 0;
        driver.made.coff_characteristics |= i == 1 ? COFF_RELOCS_STRIPPED : 0;
        if (i == 0)
            expect_unwritten(&driver);
        else
            expect_written(&driver, DRIVER_DATA_RVA + 0x11, "leads to RVA 0x40F0");
    }
}

/* Four times the code is about four times the work. */
static void work_is_linear_in_the_size(void **state)
{
    (void)state;
    uint64_t steps[2];
    for (unsigned i = 0; i < 2; i++) {
        size_t nbytes = i == 0 ? 0x10000 : 0x40000;
        struct driver driver = driver_make(MACHINE_AMD64);
        uint8_t *code = malloc(nbytes);
        assert_non_null(code);
        /* Every eight bytes a field that leads into INIT, as an address of code and as a call. */
        for (size_t at = 0; at + 16 <= nbytes; at += 16) {
            uint32_t rva = 0x6000 + (uint32_t)at;
            memcpy(code + at, "\x48\x8D\x0D", 3);
            store_u32(code + at + 3, DRIVER_CALLBACK_RVA - (rva + 7));
            memcpy(code + at + 7, "\x90\x90\x90\xE8", 4);
            store_u32(code + at + 11, DRIVER_CALLBACK_RVA - (rva + 15));
            code[at + 15] = 0xC3;
        }
        make_section(&driver.made, ".text", DRIVER_TEXT_RVA, MADE_TEXT, driver.text, sizeof driver.text);
        make_section(&driver.made, ".rdata", DRIVER_RDATA_RVA, MADE_RDATA, driver.rdata, sizeof driver.rdata);
        make_section(&driver.made, ".data", DRIVER_DATA_RVA, MADE_DATA, driver.data, sizeof driver.data);
        make_section(&driver.made, "INIT", DRIVER_INIT_RVA, MADE_INIT, driver.init, sizeof driver.init);
        make_relocations(&driver.made, DRIVER_RELOC_RVA, driver.sites, driver.site_count);
        make_section(&driver.made, "PAGE", 0x6000, MADE_TEXT, code, nbytes);
        struct verify_files files = pairs_repair(make_file(&driver.made));
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
        steps[i] = verdict.step_count;
        arena_free(&arena);
        pairs_free(&files);
        make_free(&driver.made);
        free(code);
    }
    assert_true(steps[0] > 0x10000);
    assert_true(steps[1] < steps[0] * 9 / 2);
}

/* Alignment by 16 alone makes no begin where instructions are known to run through. */
static void x86_an_aligned_instruction_is_no_begin(void **state)
{
    (void)state;
    static const uint8_t before[] = {0x55, 0x8B, 0xEC, 0x8B, 0x45, 0x08, 0x83, 0xC0,
                                     0x01, 0x83, 0xC0, 0x02, 0x83, 0xC0, 0x03, 0x40}; /* and on behind it */
    static const uint8_t behind[] = {0x83, 0xC0, 0x04, 0x5D, 0xC3};
    for (int is_end = 0; is_end <= 1; is_end++) {
        struct driver driver = driver_make(MACHINE_I386);
        driver_put(&driver, DRIVER_SPARE_RVA, before, sizeof before);
        driver_put(&driver, DRIVER_SPARE_RVA + sizeof before, behind, sizeof behind);
        if (is_end) /* pop ebp; ret instead of add eax, 3 */
            driver_put(&driver, DRIVER_SPARE_RVA + 12, "\x90\x90\x5D\xC3", 4);
        store_u32(driver_at(&driver, DRIVER_POINTER_RVA),
                  (uint32_t)driver.made.image_base_va + DRIVER_SPARE_RVA + (uint32_t)sizeof before);
        if (is_end)
            expect_unwritten(&driver);
        else
            expect_written(&driver, DRIVER_POINTER_RVA, "leads to RVA 0x4070");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x64_text_between_functions_is_not_run),
        cmocka_unit_test(x64_text_behind_text_is_not_run),
        cmocka_unit_test(x64_addresses_must_be_where_code_begins),
        cmocka_unit_test(x64_false_hits_inside_other_instructions_are_accepted),
        cmocka_unit_test(x64_doubtful_starts_count_only_without_better_evidence),
        cmocka_unit_test(x64_stores_hidden_in_other_instructions_are_found),
        cmocka_unit_test(x64_functions_that_do_not_decode_cleanly_prove_nothing),
        cmocka_unit_test(data_that_decodes_is_not_taken_for_code),
        cmocka_unit_test(x86_an_aligned_instruction_is_no_begin),
        cmocka_unit_test(images_without_relocations_are_searched_byte_by_byte),
        cmocka_unit_test(work_is_linear_in_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
