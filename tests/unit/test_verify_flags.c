/* test_verify_flags.c - flags of DllCharacteristics that come or go: which the verifier takes, and when.
 * Takes: small drivers made in memory.  Gives: pass or fail.  Must not: ask tool/plan what it would set. */
#include "verify_expect.h"

enum { ALL_BITS = 16 };

static uint32_t flags_foff(const struct verify_files *files)
{
    return view_of(files->new_bytes, files->new_nbytes).opt_foff + OPT_DLL_CHARACTERISTICS;
}

/* The right repair of a driver, with these flags before and after. */
static struct verify_files pair_with(struct driver *driver, unsigned old_flags, unsigned new_flags)
{
    struct verify_files files = driver_repair(driver);
    store_u16(files.old_bytes + flags_foff(&files), (uint16_t)old_flags);
    store_u16(files.new_bytes + flags_foff(&files), (uint16_t)new_flags);
    pairs_set_checksum(files.new_bytes, files.new_nbytes);
    return files;
}

static struct verify_files pair_of(uint16_t machine, unsigned old_flags, unsigned new_flags)
{
    struct driver driver = driver_make(machine);
    return pair_with(&driver, old_flags, new_flags);
}

static void expect_proved_and_free(struct verify_files files)
{
    expect_proved(&files);
    pairs_free(&files);
}

static void expect_refuted_and_free(struct verify_files files, const char *words)
{
    expect_refuted(&files, flags_foff(&files), words);
    pairs_free(&files);
}

/* The same bytes in both files. */
static void put_in_both(struct verify_files *files, uint32_t foff, const void *bytes, size_t nbytes)
{
    memcpy(files->old_bytes + foff, bytes, nbytes);
    memcpy(files->new_bytes + foff, bytes, nbytes);
    pairs_set_checksum(files->new_bytes, files->new_nbytes);
}

static void each_flag_may_come_or_not_and_none_may_go(void **state)
{
    (void)state;
    enum { MAY_COME = DLLCHAR_NX_COMPAT | DLLCHAR_HIGH_ENTROPY_VA };
    for (unsigned i = 0; i < ALL_BITS; i++) {
        unsigned bit = 1u << i, others = DLLCHAR_DYNAMIC_BASE & ~bit;
        if ((MAY_COME | DLLCHAR_DYNAMIC_BASE) & bit)
            expect_proved_and_free(pair_of(MACHINE_AMD64, others, others | bit));
        else
            expect_refuted_and_free(pair_of(MACHINE_AMD64, others, others | bit),
                                    "DllCharacteristics changed");
        expect_refuted_and_free(pair_of(MACHINE_AMD64, others | bit, others), "none may go");
    }
    expect_refuted_and_free(pair_of(MACHINE_AMD64, DLLCHAR_NX_COMPAT, DLLCHAR_DYNAMIC_BASE), "none may go");
    expect_proved_and_free(
        pair_of(MACHINE_AMD64, 0, DLLCHAR_DYNAMIC_BASE | DLLCHAR_NX_COMPAT | DLLCHAR_HIGH_ENTROPY_VA));
    expect_proved_and_free(pair_of(MACHINE_I386, 0, DLLCHAR_DYNAMIC_BASE | DLLCHAR_NX_COMPAT));
}

static void the_difference_is_explained_as_assumed(void **state)
{
    (void)state;
    struct verify_files files = pair_of(MACHINE_AMD64, 0x2000, 0x2140);
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_PROVED_WITH_ASSUMPTIONS);
    bool is_there = false;
    for (size_t i = 0; i < verdict.difference_count; i++) {
        const struct verify_difference *difference = &verdict.differences[i];
        if (strcmp(difference->field, "DllCharacteristics") != 0)
            continue;
        is_there = true;
        assert_int_equal(difference->file_offset, flags_foff(&files));
        assert_int_equal(difference->old_value, 0x2000);
        assert_int_equal(difference->new_value, 0x2140);
        assert_int_equal(difference->width_nbytes, 2);
        assert_true(difference->assumed);
    }
    assert_true(is_there);
    arena_free(&arena);
    pairs_free(&files);
}

static void nx_needs_code_in_executable_sections(void **state)
{
    (void)state;
    /* The unwind data of a function that begins in .data. */
    struct driver driver = driver_make(MACHINE_AMD64);
    store_u32(driver_at(&driver, DRIVER_PDATA_RVA) + RUNTIME_FUNCTION_BEGIN, DRIVER_DATA_RVA);
    expect_refuted_and_free(pair_with(&driver, 0, DLLCHAR_NX_COMPAT), "the function at RVA 0x3000");

    driver = driver_make(MACHINE_AMD64);
    driver.made.entry_rva = DRIVER_DATA_RVA;
    expect_refuted_and_free(pair_with(&driver, 0, DLLCHAR_NX_COMPAT), "the entry point at RVA 0x3000");

    struct verify_files files = pair_of(MACHINE_AMD64, 0, DLLCHAR_NX_COMPAT);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    uint8_t characteristics[4];
    store_u32(characteristics, MADE_DATA | SCN_CNT_CODE);
    put_in_both(&files,
                view_section_foff(&view, view_find_section(&view, ".data", 0)) + SECTION_CHARACTERISTICS,
                characteristics, sizeof characteristics);
    expect_refuted_and_free(files, "section .data is code");
}

static void dynamic_base_needs_relocations(void **state)
{
    (void)state;
    static const uint8_t zeros[DIRECTORY_ENTRY_NBYTES], stripped[2] = {0x23, 0};
    struct verify_files files = pair_of(MACHINE_AMD64, 0, DLLCHAR_DYNAMIC_BASE);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    put_in_both(&files, view_directory_foff(DIR_BASERELOC, &view), zeros, sizeof zeros);
    expect_refuted_and_free(files, "cannot be moved");

    files = pair_of(MACHINE_AMD64, 0, DLLCHAR_DYNAMIC_BASE);
    put_in_both(&files, view.coff_foff + COFF_CHARACTERISTICS, stripped, sizeof stripped);
    expect_refuted_and_free(files, "cannot be moved");
}

static void high_entropy_needs_dynamic_base_and_64_bits(void **state)
{
    (void)state;
    expect_refuted_and_free(pair_of(MACHINE_AMD64, 0, DLLCHAR_HIGH_ENTROPY_VA), "without DYNAMIC_BASE");
    expect_refuted_and_free(
        pair_of(MACHINE_I386, DLLCHAR_DYNAMIC_BASE, DLLCHAR_DYNAMIC_BASE | DLLCHAR_HIGH_ENTROPY_VA),
        "for a machine that does not have it");
}

/* In a program a flag changes the whole process; one that is native is told by what it imports. */
static void programs_keep_their_flags(void **state)
{
    (void)state;
    static const uint8_t gui[2] = {SUBSYSTEM_WINDOWS_GUI, 0};
    struct verify_files files = pair_of(MACHINE_AMD64, 0, DLLCHAR_NX_COMPAT);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    put_in_both(&files, view.opt_foff + OPT_SUBSYSTEM, gui, sizeof gui);
    expect_refuted_and_free(files, "no driver");

    files = pair_of(MACHINE_AMD64, 0, DLLCHAR_NX_COMPAT);
    view = view_of(files.new_bytes, files.new_nbytes);
    uint32_t descriptor_foff = view_foff(&view, view_directory_rva(&view, DIR_IMPORT));
    uint32_t name_foff = view_foff(&view, load_u32(files.new_bytes + descriptor_foff + IMPORT_NAME));
    put_in_both(&files, name_foff, "NTDLL.dll", sizeof "NTDLL.dll");
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict = judge(&files, &arena);
    assert_int_equal(verdict.result, VERIFY_REFUTED);
    assert_true(verdict.right_not_shown); /* what the image is was not shown: no wrong byte */
    arena_free(&arena);
    expect_refuted_and_free(files, "no driver");
}

/* Nothing but the checksum changes: also in a signed image, which stays signed. */
static void the_checksum_alone_may_change(void **state)
{
    (void)state;
    struct driver driver = driver_make(MACHINE_AMD64);
    struct verify_files files = driver_repair(&driver);
    memcpy(files.old_bytes, files.new_bytes, files.new_nbytes);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    store_u32(files.old_bytes + view.opt_foff + OPT_CHECK_SUM, 0);
    expect_proved(&files);
    store_u32(files.new_bytes + view.opt_foff + OPT_CHECK_SUM, 1);
    expect_refuted(&files, view.opt_foff + OPT_CHECK_SUM, "CheckSum");
    pairs_free(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flag_may_come_or_not_and_none_may_go),
        cmocka_unit_test(the_difference_is_explained_as_assumed),
        cmocka_unit_test(nx_needs_code_in_executable_sections),
        cmocka_unit_test(dynamic_base_needs_relocations),
        cmocka_unit_test(high_entropy_needs_dynamic_base_and_64_bits),
        cmocka_unit_test(programs_keep_their_flags),
        cmocka_unit_test(the_checksum_alone_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
