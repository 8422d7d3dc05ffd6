/* test_refs_load_config.c - the load configuration field by field, the tables that it names, and the dynamic
 * value relocations. Tables are written out by hand into one section at 0x2000; .text lies at 0x1000. */
enum { DATA_NBYTES = 0x1000 };
#include "refs_tables.h"

enum {
    CONFIG_RVA = DATA_RVA,
    TABLE_RVA = DATA_RVA + 0x400,
    SLOT_RVA = DATA_RVA + 0x800,
    DVRT_RVA = DATA_RVA + 0xA00,
    BASE_32 = 0x10000,
    SOURCES = SOURCE_BIT(SOURCE_LOAD_CONFIG) | SOURCE_BIT(SOURCE_GUARD_TABLES) | SOURCE_BIT(SOURCE_DVRT)
};
#define BASE_64 UINT64_C(0x140000000)

static void put_words(struct tables *tables, uint32_t rva, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(tables, rva + 4 * (uint32_t)i, words[i]);
}

#define PUT_WORDS(tables, rva, ...)                                                                          \
    put_words(tables, rva, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* A field of the 64-bit load configuration that holds the absolute address of an RVA. */
static void put_va(struct tables *tables, uint32_t field, uint32_t rva)
{
    store_u64(at(tables, CONFIG_RVA + field), BASE_64 + rva);
}

static struct made_image with_config(uint16_t machine, const struct tables *tables)
{
    static const uint8_t code[64] = {0xC3};
    struct made_image made = make_image(machine);
    made.image_base_va = made_is_64(&made) ? BASE_64 : BASE_32;
    make_section(&made, ".text", TEXT_RVA, MADE_TEXT, code, sizeof code);
    make_section(&made, ".rdata", DATA_RVA, MADE_RDATA, tables->bytes, DATA_NBYTES);
    make_directory(&made, DIR_LOAD_CONFIG, CONFIG_RVA, 0x40);
    return made;
}

static void assert_field(const struct collected *c, uint32_t field, uint32_t target, uint8_t flags)
{
    assert_ref(c, SOURCE_LOAD_CONFIG, CONFIG_RVA + field, REF_VA, target, REF_RESOLVED);
    const struct ref *ref = find_ref(c, SOURCE_LOAD_CONFIG, CONFIG_RVA + field);
    assert_int_equal(ref->detail, field);
    assert_int_equal(ref->flags, flags);
}

static void test_what_the_loader_writes(void **state)
{
    (void)state;
    static const uint16_t slots[] = {LC_GUARD_CF_CHECK_POINTER_64,
                                     LC_GUARD_CF_DISPATCH_POINTER_64,
                                     LC_GUARD_RF_FAILURE_POINTER_64,
                                     LC_GUARD_RF_VERIFY_STACK_POINTER_64,
                                     LC_GUARD_XFG_CHECK_POINTER_64,
                                     LC_GUARD_XFG_DISPATCH_POINTER_64,
                                     LC_GUARD_XFG_TABLE_DISPATCH_POINTER_64,
                                     LC_CAST_GUARD_FAILURE_MODE_64,
                                     LC_GUARD_MEMCPY_POINTER_64};
    enum {
        SLOTS = sizeof slots / sizeof slots[0],
        COOKIE_RVA = SLOT_RVA + 0x100,
        UMA_RVA = SLOT_RVA + 0x110
    };
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    for (uint32_t i = 0; i < SLOTS; i++)
        put_va(&tables, slots[i], SLOT_RVA + 8 * i);
    put_va(&tables, LC_SECURITY_COOKIE_64, COOKIE_RVA);
    put_va(&tables, LC_UMA_FUNCTION_POINTERS_64, UMA_RVA);
    put_va(&tables, LC_GUARD_RF_FAILURE_ROUTINE_64, TEXT_RVA);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_int_equal(c.refs.problem_count, 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        assert_field(&c, slots[i], SLOT_RVA + 8 * i, REF_FLAG_LOADER_WRITES);
        assert_extent(&c, EXTENT_GUARD_SLOT, SLOT_RVA + 8 * i, 8); /* neighbours are not joined */
    }
    assert_field(&c, LC_SECURITY_COOKIE_64, COOKIE_RVA, REF_FLAG_LOADER_WRITES);
    assert_extent(&c, EXTENT_SECURITY_COOKIE, COOKIE_RVA, 8);
    assert_extent(&c, EXTENT_GUARD_SLOT, UMA_RVA, UMA_TABLE_NBYTES);
    assert_field(&c, LC_GUARD_RF_FAILURE_ROUTINE_64, TEXT_RVA, REF_FLAG_CODE_TARGET);
    assert_ref(&c, SOURCE_LOAD_CONFIG, CONFIG_RVA + LC_EDIT_LIST_64, REF_VA, 0, REF_NULL);
    assert_extent(&c, EXTENT_LOAD_CONFIG, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    assert_string_equal(load_config_field_name(&c.image, LC_SECURITY_COOKIE_64), "SecurityCookie");
    assert_string_equal(load_config_field_name(&c.image, 1), "field");
    collected_free(&c, &made);
}

static void test_unused_cookie(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    put(&tables, CONFIG_RVA + LC_GUARD_FLAGS_64, GUARD_FLAG_COOKIE_UNUSED);
    put_va(&tables, LC_SECURITY_COOKIE_64, SLOT_RVA);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_field(&c, LC_SECURITY_COOKIE_64, SLOT_RVA, 0);
    assert_int_equal(count_extents(&c, EXTENT_SECURITY_COOKIE), 0);
    collected_free(&c, &made);
}

/* Only fields that lie wholly below the structure's own Size exist. */
static void test_size_says_which_fields_exist(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        bool has_check_slot;
    } cases[] = {{0x6F, false}, {0x70, false}, {0x77, false}, {0x78, true}, {0xFFFFFFFF, true}, {0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = {{0}};
        put(&tables, CONFIG_RVA, cases[i].size);
        put_va(&tables, LC_GUARD_CF_CHECK_POINTER_64, SLOT_RVA);
        struct made_image made = with_config(MACHINE_AMD64, &tables);
        struct collected c;
        collect(&c, &made, SOURCES);
        const struct ref *ref = find_ref(&c, SOURCE_LOAD_CONFIG, CONFIG_RVA + LC_GUARD_CF_CHECK_POINTER_64);
        assert_int_equal(ref != NULL, cases[i].has_check_slot);
        assert_int_equal(count_extents(&c, EXTENT_GUARD_SLOT), cases[i].has_check_slot);
        collected_free(&c, &made);
    }
}

/* 16 entries of 4 + stride bytes each, for stride 0 and 1. */
static void test_guard_table_strides(void **state)
{
    (void)state;
    for (uint32_t extra_nbytes = 0; extra_nbytes < 2; extra_nbytes++) {
        uint32_t stride_nbytes = 4 + extra_nbytes;
        struct tables tables = {{0}};
        put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
        put(&tables, CONFIG_RVA + LC_GUARD_FLAGS_64, extra_nbytes << GUARD_FLAG_STRIDE_SHIFT);
        put_va(&tables, LC_GUARD_CF_FUNCTION_TABLE_64, TABLE_RVA);
        put(&tables, CONFIG_RVA + LC_GUARD_CF_FUNCTION_COUNT_64, 16);
        put_va(&tables, LC_GUARD_IAT_TABLE_64, TABLE_RVA + 0x100);
        put(&tables, CONFIG_RVA + LC_GUARD_IAT_COUNT_64, 1);
        for (uint32_t i = 0; i < 16; i++) {
            put(&tables, TABLE_RVA + i * stride_nbytes, TEXT_RVA + i);
            if (extra_nbytes)
                *at(&tables, TABLE_RVA + i * stride_nbytes + 4) = 0xFF;
        }
        put(&tables, TABLE_RVA + 0x100, SLOT_RVA);
        struct made_image made = with_config(MACHINE_AMD64, &tables);
        struct collected c;
        collect(&c, &made, SOURCES);
        assert_int_equal(c.refs.problem_count, 0);
        assert_int_equal(count_refs(&c, SOURCE_GUARD_TABLES), 17);
        for (uint32_t i = 0; i < 16; i++)
            assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + i * stride_nbytes, REF_RVA, TEXT_RVA + i,
                       REF_RESOLVED);
        const struct ref *function = find_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA);
        const struct ref *slot = find_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + 0x100);
        assert_int_equal(function->detail, LC_GUARD_CF_FUNCTION_TABLE_64);
        assert_int_equal(function->flags, REF_FLAG_CODE_TARGET);
        assert_int_equal(slot->detail, LC_GUARD_IAT_TABLE_64);
        assert_int_equal(slot->flags, 0);
        assert_extent(&c, EXTENT_GUARD_TABLE, TABLE_RVA, 16 * stride_nbytes);
        collected_free(&c, &made);
    }
}

static void test_table_counts_beyond_the_file(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    put_va(&tables, LC_GUARD_CF_FUNCTION_TABLE_64, DATA_RVA + DATA_NBYTES - 12);
    store_u64(at(&tables, CONFIG_RVA + LC_GUARD_CF_FUNCTION_COUNT_64), UINT64_MAX);
    put_va(&tables, LC_GUARD_LONGJMP_TABLE_64, 0x70000000);
    put(&tables, CONFIG_RVA + LC_GUARD_LONGJMP_COUNT_64, 5);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_GUARD_TABLES), 3);
    assert_problem(&c, SOURCE_GUARD_TABLES, "guard function table at RVA 0x2FF4 has 18446744073709551615");
    assert_problem(&c, SOURCE_GUARD_TABLES,
                   "long jump table at RVA 0x70000000 has 5 entries, but the file holds");
    collected_free(&c, &made);
}

/* x86: SafeSEH records are plain RVAs whatever GuardFlags say; the table means nothing on x64. */
static void test_safe_seh(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, 0x5C);
    put(&tables, CONFIG_RVA + LC_SE_HANDLER_TABLE_32, BASE_32 + TABLE_RVA);
    put(&tables, CONFIG_RVA + LC_SE_HANDLER_COUNT_32, 2);
    put(&tables, CONFIG_RVA + LC_GUARD_FLAGS_32, UINT32_C(3) << GUARD_FLAG_STRIDE_SHIFT);
    PUT_WORDS(&tables, TABLE_RVA, TEXT_RVA, TEXT_RVA + 0x10);
    struct made_image made = with_config(MACHINE_I386, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_int_equal(count_refs(&c, SOURCE_GUARD_TABLES), 2);
    assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + 4, REF_RVA, TEXT_RVA + 0x10, REF_RESOLVED);
    assert_int_equal(find_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA)->detail, LC_SE_HANDLER_TABLE_32);
    collected_free(&c, &made);
}

static void test_lock_prefixes_and_volatile_metadata(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    put_va(&tables, LC_LOCK_PREFIX_TABLE_64, TABLE_RVA);
    store_u64(at(&tables, TABLE_RVA), BASE_64 + TEXT_RVA);
    put_va(&tables, LC_VOLATILE_METADATA_64, TABLE_RVA + 0x40);
    PUT_WORDS(&tables, TABLE_RVA + 0x40, VOLATILE_METADATA_NBYTES, 0x10001, TABLE_RVA + 0x60, 8,
              TABLE_RVA + 0x80, 8);
    PUT_WORDS(&tables, TABLE_RVA + 0x60, TEXT_RVA + 1, TEXT_RVA + 5);
    PUT_WORDS(&tables, TABLE_RVA + 0x80, TEXT_RVA, 0x20);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_int_equal(c.refs.problem_count, 0);
    assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA, REF_VA, TEXT_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + 0x48, REF_RVA, TABLE_RVA + 0x60, REF_RESOLVED);
    assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + 0x64, REF_RVA, TEXT_RVA + 5, REF_RESOLVED);
    assert_ref(&c, SOURCE_GUARD_TABLES, TABLE_RVA + 0x80, REF_RVA, TEXT_RVA, REF_RESOLVED);
    assert_int_equal(count_refs(&c, SOURCE_GUARD_TABLES), 1 + 2 + 2 + 1);
    collected_free(&c, &made);
}

static void test_data_that_are_not_read(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    put(&tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    put_va(&tables, LC_CHPE_METADATA_64, TABLE_RVA);
    put_va(&tables, LC_ENCLAVE_CONFIGURATION_64, TABLE_RVA);
    put(&tables, CONFIG_RVA + LC_HOT_PATCH_TABLE_OFFSET_64, TABLE_RVA);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_problem(&c, SOURCE_LOAD_CONFIG, "CHPEMetadataPointer of the load configuration is set");
    assert_problem(&c, SOURCE_LOAD_CONFIG, "EnclaveConfigurationPointer of the load configuration is set");
    assert_problem(&c, SOURCE_LOAD_CONFIG, "hot-patch table");
    collected_free(&c, &made);
}

/* A 64-bit table with one record: symbol, fixups. Named by section number and offset. */
static void put_dvrt(struct tables *tables, uint64_t symbol, const uint32_t *fixups, size_t count)
{
    uint32_t fixups_nbytes = 4 * (uint32_t)count;
    put(tables, CONFIG_RVA, LC_LARGEST_KNOWN_NBYTES_64);
    put(tables, CONFIG_RVA + LC_DVRT_OFFSET_64, DVRT_RVA - DATA_RVA);
    store_u16(at(tables, CONFIG_RVA + LC_DVRT_SECTION_64), 2);
    PUT_WORDS(tables, DVRT_RVA, 1, 12 + fixups_nbytes);
    store_u64(at(tables, DVRT_RVA + 8), symbol);
    put(tables, DVRT_RVA + 16, fixups_nbytes);
    put_words(tables, DVRT_RVA + 20, fixups, count);
}

enum { FIXUPS_RVA = DVRT_RVA + 20 };

static void test_dvrt_blocks(void **state)
{
    (void)state;
    static const struct {
        uint64_t symbol;
        uint32_t entries; /* the first word behind the block's header; the second is padding */
        enum ref_encoding encoding;
        unsigned width_nbytes;
        uint32_t targets[2]; /* 0: no second entry */
    } cases[] = {
        {DVRT_SYMBOL_IMPORT_CONTROL_TRANSFER, 0x0001F123, REF_PAGE_12, 4, {0x1123, 0}},
        {DVRT_SYMBOL_INDIRECT_CONTROL_TRANSFER, 0x10201010, REF_PAGE_12, 2, {0x1010, 0x1020}},
        {DVRT_SYMBOL_SWITCH_BRANCH, 0x00003040, REF_PAGE_12, 2, {0x1040, 0}},
        {DVRT_SYMBOL_ARM64_KERNEL_IMPORT_CALL, 0x00018004, REF_PAGE_10X4, 4, {0x1010, 0}},
        {0xFFFFF78000000000, 0x10203010, REF_PAGE_12, 2, {0x1010, 0x1020}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = {{0}};
        const uint32_t fixups[] = {TEXT_RVA, 16, cases[i].entries, 0};
        put_dvrt(&tables, cases[i].symbol, fixups, 4);
        struct made_image made = with_config(MACHINE_AMD64, &tables);
        struct collected c;
        collect(&c, &made, SOURCES);
        assert_int_equal(c.refs.problem_count, 0);
        assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA, REF_RVA, TEXT_RVA, REF_RESOLVED);
        assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 8, cases[i].encoding, cases[i].targets[0], REF_RESOLVED);
        assert_int_equal(find_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 8)->width_nbytes, cases[i].width_nbytes);
        assert_int_equal(find_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 8)->detail, cases[i].symbol & 0xFFFF);
        if (cases[i].targets[1])
            assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 10, cases[i].encoding, cases[i].targets[1],
                       REF_RESOLVED);
        assert_int_equal(count_refs(&c, SOURCE_DVRT), cases[i].targets[1] ? 3 : 2);
        assert_ref(&c, SOURCE_LOAD_CONFIG, CONFIG_RVA + LC_DVRT_OFFSET_64, REF_OFFSET, DVRT_RVA,
                   REF_RESOLVED);
        assert_ref(&c, SOURCE_LOAD_CONFIG, CONFIG_RVA + LC_DVRT_SECTION_64, REF_SECTION_INDEX, 2,
                   REF_RESOLVED);
        assert_extent(&c, EXTENT_DVRT, DVRT_RVA, 20 + 16);
        collected_free(&c, &made);
    }
}

/* One function with two replacements and a block of two places that call it; then the decision tree. */
static void test_dvrt_function_overrides(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    const uint32_t fixups[] = {16 + 8 + 12,     TEXT_RVA, 0,  8,          12, TEXT_RVA + 0x10,
                               TEXT_RVA + 0x20, TEXT_RVA, 12, 0x30083004, 1,  0};
    put_dvrt(&tables, DVRT_SYMBOL_FUNCTION_OVERRIDE, fixups, 12);
    struct made_image made = with_config(MACHINE_AMD64, &tables);
    struct collected c;
    collect(&c, &made, SOURCES);
    assert_int_equal(c.refs.problem_count, 0);
    assert_int_equal(count_refs(&c, SOURCE_DVRT), 1 + 2 + 1 + 2);
    assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 4, REF_RVA, TEXT_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 24, REF_RVA, TEXT_RVA + 0x20, REF_RESOLVED);
    assert_ref(&c, SOURCE_DVRT, FIXUPS_RVA + 38, REF_PAGE_12, TEXT_RVA + 8, REF_RESOLVED);
    collected_free(&c, &made);
}

static void test_dvrt_that_is_not_read(void **state)
{
    (void)state;
    static const struct {
        uint64_t symbol;
        uint32_t first_word, second_word;
        const char *problem;
    } cases[] = {
        {0x1234, 0, 0, "unknown symbol 0x1234"},
        {DVRT_SYMBOL_RF_PROLOGUE, 0, 0, "return flow guard"},
        {DVRT_SYMBOL_ARM64X, TEXT_RVA, 8, "turn the image into one for another machine"},
        {DVRT_SYMBOL_SWITCH_BRANCH, TEXT_RVA, 0x20, "a block whose size does not fit"},
        {DVRT_SYMBOL_SWITCH_BRANCH, TEXT_RVA, 7, "a block whose size does not fit"},
        {DVRT_SYMBOL_FUNCTION_OVERRIDE, 0x1000, 0, "function overrides whose size does not fit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = {{0}};
        const uint32_t fixups[] = {cases[i].first_word, cases[i].second_word};
        put_dvrt(&tables, cases[i].symbol, fixups, 2);
        struct made_image made = with_config(MACHINE_AMD64, &tables);
        struct collected c;
        collect(&c, &made, SOURCES);
        assert_problem(&c, SOURCE_DVRT, cases[i].problem);
        assert_int_equal(count_problems(&c, SOURCE_DVRT), 1);
        collected_free(&c, &made);
    }
}

static void test_damaged_dvrt(void **state)
{
    (void)state;
    static const struct {
        uint32_t rva, value;
        const char *problem;
    } cases[] = {
        {DVRT_RVA, 2, "are of a version that is not read"},
        {DVRT_RVA + DVRT_SIZE, 0xFFFFFFFF, "run past the end of their section"},
        {DVRT_RVA + 16, 0xFFFFFFFF, "hold a record whose size does not fit"},
        {CONFIG_RVA + LC_DVRT_OFFSET_64, 0x00FFFFFF, "have no bytes in the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = {{0}};
        const uint32_t fixups[] = {TEXT_RVA, 8};
        put_dvrt(&tables, DVRT_SYMBOL_SWITCH_BRANCH, fixups, 2);
        put(&tables, cases[i].rva, cases[i].value);
        struct made_image made = with_config(MACHINE_AMD64, &tables);
        struct collected c;
        collect(&c, &made, SOURCES);
        assert_problem(&c, SOURCE_DVRT, cases[i].problem);
        assert_int_equal(count_refs(&c, SOURCE_DVRT), 0);
        collected_free(&c, &made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_loader_writes),
        cmocka_unit_test(test_unused_cookie),
        cmocka_unit_test(test_size_says_which_fields_exist),
        cmocka_unit_test(test_guard_table_strides),
        cmocka_unit_test(test_table_counts_beyond_the_file),
        cmocka_unit_test(test_safe_seh),
        cmocka_unit_test(test_lock_prefixes_and_volatile_metadata),
        cmocka_unit_test(test_data_that_are_not_read),
        cmocka_unit_test(test_dvrt_blocks),
        cmocka_unit_test(test_dvrt_function_overrides),
        cmocka_unit_test(test_dvrt_that_is_not_read),
        cmocka_unit_test(test_damaged_dvrt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
