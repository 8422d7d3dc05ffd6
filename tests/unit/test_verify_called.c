/* test_verify_called.c - the verifier on data that code calls: it must stay executable.
 * Takes: small low-aligned drivers, laid out anew by the rewriter, which does not look at calls of data.
 * Gives: pass or fail.  Must not: expect anything of the rewriter but that it moves the data. */
#include "layout_case.h"
#include "verify/verify.h"
#include "verify_pairs.h"

/* The verdict on what the rewriter made of the code that was put at the begin of .text. */
static struct verify_verdict judge_driver(struct low_case *driver, struct arena *arena)
{
    struct verify_verdict verdict;
    low_rewrite(driver);
    low_expect_moved(driver);
    assert_true(verify_pair(driver->done.image.file,
                            (struct span){driver->done.output.bytes, driver->done.output.nbytes}, arena,
                            &verdict));
    return verdict;
}

/* The address of the middle of .data into eax or rax. */
static uint32_t take_address(struct low_case *driver, uint16_t machine)
{
    if (machine == MACHINE_I386)
        return low_put_va(driver, LOW_PUT(driver, LOW_TEXT_RVA, "\xB8"), LOW_DATA_RVA + 0x80);
    return low_put_rel(driver, LOW_PUT(driver, LOW_TEXT_RVA, "\x48\x8D\x05"), LOW_DATA_RVA + 0x80, 0);
}

static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};

static void what_is_called_must_stay_executable(void **state)
{
    (void)state;
    static const struct {
        const char *use;
        size_t nbytes;
        bool is_called;
    } uses[] = {
        {"\xC6\x00\xC3\xC3", 4, false},        /* mov byte [eax], C3h; ret: a buffer */
        {"\xC6\x00\xC3\xFF\xD0\xC3", 6, true}, /* the same; call eax; ret */
        {"\xC6\x00\xC3\xFF\xE0", 5, true},     /* the same; jmp eax */
    };
    for (size_t m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
            struct low_case driver;
            struct arena arena;
            arena_init(&arena, NULL);
            low_begin(&driver, machines[m]);
            low_put(&driver, take_address(&driver, machines[m]), uses[i].use, uses[i].nbytes);
            struct verify_verdict verdict = judge_driver(&driver, &arena);
            if (!uses[i].is_called && verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
                fail_msg("not proved: %s", verdict.reason);
            if (uses[i].is_called) {
                assert_int_equal(verdict.result, VERIFY_REFUTED);
                assert_true(verdict.right_not_shown);
                if (!strstr(verdict.reason, "no longer in executable memory"))
                    fail_msg("for another reason: %s", verdict.reason);
            }
            arena_free(&arena);
            low_end(&driver);
        }
}

/* The address of data goes through a word on the stack, or a variable, and is called there or elsewhere. */
static void what_is_called_through_memory_must_stay_executable(void **state)
{
    (void)state;
    enum { VARIABLE_RVA = LOW_DATA_RVA + 0x20, ELSEWHERE_RVA = LOW_TEXT_RVA + 0x40 };
    enum { ON_STACK, IN_VARIABLE, IN_FILE, NOT_CALLED, WAY_COUNT };
    for (size_t m = 0; m < 2; m++)
        for (int way = 0; way < WAY_COUNT; way++) {
            bool is_64 = machines[m] == MACHINE_AMD64;
            struct low_case driver;
            struct arena arena;
            if (is_64 && way == IN_FILE)
                continue; /* made images have relocations of four bytes */
            arena_init(&arena, NULL);
            low_begin(&driver, machines[m]);
            uint32_t at = LOW_TEXT_RVA;
            if (way == IN_FILE)
                low_put_va(&driver, VARIABLE_RVA, LOW_DATA_RVA + 0x80);
            else
                at = take_address(&driver, machines[m]);
            if (way == ON_STACK) /* mov [esp], eax; mov ecx, [esp]; call ecx */
                at = is_64 ? LOW_PUT(&driver, at, "\x48\x89\x04\x24\x48\x8B\x0C\x24\xFF\xD1")
                           : LOW_PUT(&driver, at, "\x89\x04\x24\x8B\x0C\x24\xFF\xD1");
            else if (way != IN_FILE && is_64) /* mov [variable], eax */
                at = low_put_rel(&driver, LOW_PUT(&driver, at, "\x48\x89\x05"), VARIABLE_RVA, 0);
            else if (way != IN_FILE)
                at = low_put_va(&driver, LOW_PUT(&driver, at, "\xA3"), VARIABLE_RVA);
            low_put_rel(&driver, LOW_PUT(&driver, at, "\xE9"), ELSEWHERE_RVA, 0);
            /* mov eax, [variable]; call eax, or only the first */
            if (is_64)
                at = low_put_rel(&driver, LOW_PUT(&driver, ELSEWHERE_RVA, "\x48\x8B\x05"), VARIABLE_RVA, 0);
            else
                at = low_put_va(&driver, LOW_PUT(&driver, ELSEWHERE_RVA, "\xA1"), VARIABLE_RVA);
            at = way == NOT_CALLED ? LOW_PUT(&driver, at, "\x90\x90") : LOW_PUT(&driver, at, "\xFF\xD0");
            LOW_PUT(&driver, at, "\xC3");
            struct verify_verdict verdict = judge_driver(&driver, &arena);
            if (way == NOT_CALLED && verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
                fail_msg("not proved: %s", verdict.reason);
            if (way != NOT_CALLED) {
                assert_int_equal(verdict.result, VERIFY_REFUTED);
                assert_true(verdict.right_not_shown);
                if (!strstr(verdict.reason, "no longer in executable memory"))
                    fail_msg("for another reason: %s", verdict.reason);
            }
            arena_free(&arena);
            low_end(&driver);
        }
}

/* RVA of the section of the new image with this name. */
static uint32_t new_section_rva(const struct low_case *driver, const char *name)
{
    const uint8_t *file = driver->done.output.bytes;
    for (uint32_t i = 0; i < load_u16(file + made_coff_foff() + COFF_NUMBER_OF_SECTIONS); i++) {
        const uint8_t *header = file + made_section_header_foff(&driver->made, i);
        if (strncmp((const char *)header, name, SECTION_NAME_NBYTES) == 0)
            return load_u32(header + SECTION_VIRTUAL_ADDRESS);
    }
    fail_msg("no section %s", name);
    return 0;
}

/* A call that leads to data in both images: the distance is right, but nothing can be executed there. */
static void a_direct_call_must_lead_to_code(void **state)
{
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        struct low_case driver;
        struct arena arena;
        arena_init(&arena, NULL);
        low_begin(&driver, machines[m]);
        uint32_t at = LOW_PUT(&driver, LOW_TEXT_RVA, "\xE8");
        LOW_PUT(&driver, low_put_rel(&driver, at, LOW_TEXT_RVA + 0x40, 0), "\xC3");
        if (machines[m] == MACHINE_I386) /* which needs a base relocation */
            LOW_PUT(&driver, low_put_va(&driver, LOW_PUT(&driver, LOW_TEXT_RVA + 0x40, "\xA1"), LOW_DATA_RVA),
                    "\xC3");
        else
            LOW_PUT(&driver, LOW_TEXT_RVA + 0x40, "\xC3");
        struct verify_verdict verdict = judge_driver(&driver, &arena);
        assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
        /* All parts move by whole pages, from the first one. */
        uint32_t text_delta = new_section_rva(&driver, ".text") & ~(PAGE_NBYTES - 1u);
        uint32_t data_delta = new_section_rva(&driver, ".data") & ~(PAGE_NBYTES - 1u);
        uint8_t *new_file = driver.done.output.bytes;
        const uint8_t *text = low_new_section(&driver, at + text_delta);
        uint32_t field_foff = load_u32(text + SECTION_POINTER_TO_RAW_DATA) + at + text_delta -
                              load_u32(text + SECTION_VIRTUAL_ADDRESS);
        uint32_t distance = LOW_DATA_RVA + 0x80 - (at + 4);
        store_u32(driver.made.file + at, distance);
        store_u32(new_file + field_foff, distance + data_delta - text_delta);
        pairs_set_checksum(new_file, driver.done.output.nbytes);
        assert_true(verify_pair((struct span){driver.made.file, driver.made.file_nbytes},
                                (struct span){new_file, driver.done.output.nbytes}, &arena, &verdict));
        assert_int_equal(verdict.result, VERIFY_REFUTED);
        assert_true(verdict.right_not_shown);
        if (!strstr(verdict.reason, "leads to RVA 0x680, which is no longer in executable memory"))
            fail_msg("for another reason: %s", verdict.reason);
        arena_free(&arena);
        low_end(&driver);
    }
}

/* Low alignment makes data executable: a routine among them must stay so, whoever calls it. */
static void a_routine_in_data_must_stay_executable(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t nbytes;
        bool is_routine;
    } data[] = {
        {"\x33\xC0\x83\xC0\x05\xC3", 6, true},          /* xor eax, eax; add eax, 5; ret */
        {"\x33\xC0\x83\xC0\x05\xEB\xF9", 7, true},      /* the same; jmp back */
        {"\x33\xC0\xC3", 3, false},                     /* a number */
        {"PQRSTXYZPQRST", 14, false},                   /* text, and instructions */
        {"\x33\xC0\xE8\x05\x00\x00\x70\xC3", 8, false}, /* a call that leads out of the image */
        {"\x33\xC0\x83\xC0\x05\xC2\x97\xEF", 8, false}, /* a number of bytes that are no words */
        {"\x33\xC0\x66\x60\x83\xC0\x05\xC3", 8, false}, /* pushaw, or nothing */
    };
    for (size_t m = 0; m < 2; m++)
        for (size_t i = 0; i < 2 * sizeof data / sizeof data[0]; i++) {
            bool is_held_by_data = i % 2 && machines[m] == MACHINE_I386;
            struct low_case driver;
            struct arena arena;
            arena_init(&arena, NULL);
            low_begin(&driver, machines[m]);
            low_put(&driver, LOW_DATA_RVA + 0x80, data[i / 2].bytes, data[i / 2].nbytes);
            if (is_held_by_data) {
                low_put_va(&driver, LOW_DATA_RVA, LOW_DATA_RVA + 0x80);
                LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
            } else {
                LOW_PUT(&driver, take_address(&driver, machines[m]), "\xC3"); /* to the caller */
            }
            struct verify_verdict verdict = judge_driver(&driver, &arena);
            if (!data[i / 2].is_routine && verdict.result != VERIFY_PROVED_WITH_ASSUMPTIONS)
                fail_msg("%zu is not proved: %s", i, verdict.reason);
            if (data[i / 2].is_routine) {
                assert_int_equal(verdict.result, VERIFY_REFUTED);
                assert_true(verdict.right_not_shown);
                if (!strstr(verdict.reason, "looks like code and is no longer in executable memory"))
                    fail_msg("%zu is refused for another reason: %s", i, verdict.reason);
            }
            arena_free(&arena);
            low_end(&driver);
        }
}

/* What the loader adjusts is an operand, or the bytes around it are no routine. */
static void an_address_among_the_bytes_is_no_operand(void **state)
{
    (void)state;
    for (unsigned is_operand = 0; is_operand < 2; is_operand++) {
        struct low_case driver;
        struct arena arena;
        arena_init(&arena, NULL);
        low_begin(&driver, MACHINE_I386);
        driver.made.image_base_va = 0xC3400000;
        if (is_operand) /* jb +0; je +0; mov eax, [address]; ret */
            LOW_PUT(
                &driver,
                low_put_va(&driver, LOW_PUT(&driver, LOW_DATA_RVA + 0x80, "\x72\0\x74\0\xA1"), LOW_DATA_RVA),
                "\xC3");
        else /* jb +0; je +0; the address's bytes: mov eax, [esi]; inc eax; ret */
            low_put_va(&driver, LOW_PUT(&driver, LOW_DATA_RVA + 0x80, "\x72\0\x74\0"), LOW_DATA_RVA + 0x8B);
        low_put_va(&driver, LOW_DATA_RVA, LOW_DATA_RVA + 0x80);
        LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
        struct verify_verdict verdict = judge_driver(&driver, &arena);
        bool is_refused = verdict.result == VERIFY_REFUTED && verdict.right_not_shown;
        if (is_refused != is_operand)
            fail_msg("%u: %d, %s", is_operand, (int)verdict.result, verdict.reason);
        arena_free(&arena);
        low_end(&driver);
    }
}

/* Tables of addresses decode now and then: what the loader adjusts is no instruction. */
static void addresses_are_no_routine(void **state)
{
    (void)state;
    for (unsigned is_relocated = 0; is_relocated < 2; is_relocated++) {
        struct low_case driver;
        struct arena arena;
        arena_init(&arena, NULL);
        low_begin(&driver, MACHINE_I386);
        driver.made.image_base_va = 0xC3400000;
        if (is_relocated) /* its bytes: mov eax, [esi]; inc eax; ret */
            low_put_va(&driver, LOW_DATA_RVA + 0x80, LOW_DATA_RVA + 0x8B);
        else
            LOW_PUT(&driver, LOW_DATA_RVA + 0x80, "\x8B\x06\x40\xC3");
        low_put_va(&driver, LOW_DATA_RVA, LOW_DATA_RVA + 0x80);
        LOW_PUT(&driver, LOW_TEXT_RVA, "\xC3");
        struct verify_verdict verdict = judge_driver(&driver, &arena);
        bool is_refused = verdict.result == VERIFY_REFUTED && verdict.right_not_shown;
        if (is_refused == is_relocated)
            fail_msg("%u: %d, %s", is_relocated, (int)verdict.result, verdict.reason);
        arena_free(&arena);
        low_end(&driver);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_called_must_stay_executable),
        cmocka_unit_test(what_is_called_through_memory_must_stay_executable),
        cmocka_unit_test(a_direct_call_must_lead_to_code),
        cmocka_unit_test(a_routine_in_data_must_stay_executable),
        cmocka_unit_test(an_address_among_the_bytes_is_no_operand),
        cmocka_unit_test(addresses_are_no_routine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
