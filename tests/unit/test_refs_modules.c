/* test_refs_modules.c - what an image offers to and takes from other modules: exports, imports, delay-load
 * and bound imports. Tables are written out by hand into one section; expected targets follow from where they
 * lie. */
enum { DATA_NBYTES = 0x400 };
#include "refs_tables.h"

enum {
    EXPORT_RVA = 0x2000, /* the directory with its tables and strings: 0x100 bytes */
    EXPORT_NBYTES = 0x100,
    EAT_RVA = 0x2040,
    NAMES_RVA = 0x2060,
    ORDINALS_RVA = 0x2070,
    STRINGS_RVA = 0x2080,

    DESCRIPTORS_RVA = 0x2100,
    LOOKUP_RVA = 0x2180,
    IAT_RVA = 0x21C0,
    HINT_NAME_RVA = 0x2200,
    MODULE_RVA = 0x2220,

    DELAY_RVA = 0x2240,
    DELAY_NAMES_RVA = 0x2280,
    DELAY_SLOTS_RVA = 0x22C0,
    DELAY_UNLOAD_RVA = 0x2300,
    BOUND_RVA = 0x2340
};

/* Four address slots: code, a hole, a forwarder, data; two names. */
static struct tables export_tables(void)
{
    struct tables tables = {{0}};
    put(&tables, EXPORT_RVA + EXPORT_NAME, STRINGS_RVA);
    put(&tables, EXPORT_RVA + EXPORT_NUMBER_OF_FUNCTIONS, 4);
    put(&tables, EXPORT_RVA + EXPORT_NUMBER_OF_NAMES, 2);
    put(&tables, EXPORT_RVA + EXPORT_ADDRESS_OF_FUNCTIONS, EAT_RVA);
    put(&tables, EXPORT_RVA + EXPORT_ADDRESS_OF_NAMES, NAMES_RVA);
    put(&tables, EXPORT_RVA + EXPORT_ADDRESS_OF_NAME_ORDINALS, ORDINALS_RVA);
    put(&tables, EAT_RVA, TEXT_RVA);
    put(&tables, EAT_RVA + 8, STRINGS_RVA + 8);
    put(&tables, EAT_RVA + 12, 0x2380);
    put(&tables, NAMES_RVA, STRINGS_RVA + 0x18);
    put(&tables, NAMES_RVA + 4, STRINGS_RVA + 0x1C);
    memcpy(at(&tables, STRINGS_RVA), "drv.sys\0hal.Function\0\0\0\0one\0two", 32);
    return tables;
}

static void test_exports(void **state)
{
    (void)state;
    struct tables tables = export_tables();
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_EXPORT, EXPORT_RVA, EXPORT_NBYTES);
    collect(&c, &made, SOURCE_BIT(SOURCE_EXPORTS));
    assert_int_equal(c.refs.problem_count, 0);
    assert_int_equal(count_refs(&c, SOURCE_EXPORTS), 4 + 4 + 2);
    assert_ref(&c, SOURCE_EXPORTS, EXPORT_RVA + EXPORT_NAME, REF_RVA, STRINGS_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_EXPORTS, EAT_RVA, REF_RVA, TEXT_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_EXPORTS, EAT_RVA + 4, REF_RVA, 0, REF_NULL);
    assert_ref(&c, SOURCE_EXPORTS, EAT_RVA + 8, REF_RVA, STRINGS_RVA + 8, REF_RESOLVED);
    assert_ref(&c, SOURCE_EXPORTS, NAMES_RVA + 4, REF_RVA, STRINGS_RVA + 0x1C, REF_RESOLVED);
    const struct ref *code = find_ref(&c, SOURCE_EXPORTS, EAT_RVA);
    const struct ref *forwarder = find_ref(&c, SOURCE_EXPORTS, EAT_RVA + 8);
    const struct ref *data = find_ref(&c, SOURCE_EXPORTS, EAT_RVA + 12);
    assert_int_equal(code->detail, DETAIL_EXPORT_ADDRESS);
    assert_int_equal(code->flags, REF_FLAG_CODE_TARGET);
    assert_int_equal(forwarder->detail, DETAIL_EXPORT_FORWARDER);
    assert_int_equal(forwarder->flags, 0);
    assert_int_equal(data->detail, DETAIL_EXPORT_ADDRESS);
    assert_int_equal(data->flags, 0);
    assert_extent(&c, EXTENT_EXPORT_TABLE, ORDINALS_RVA, 4);
    assert_extent(&c, EXTENT_EXPORT_STRING, STRINGS_RVA, 8);
    assert_extent(&c, EXTENT_EXPORT_STRING, STRINGS_RVA + 8, 13);
    assert_extent(&c, EXTENT_EXPORT_STRING, STRINGS_RVA + 0x18, 8); /* two names that follow each other */
    collected_free(&c, &made);
}

static void test_export_counts_beyond_the_file(void **state)
{
    (void)state;
    struct tables tables = export_tables();
    put(&tables, EXPORT_RVA + EXPORT_NUMBER_OF_FUNCTIONS, UINT32_MAX);
    put(&tables, EXPORT_RVA + EXPORT_ADDRESS_OF_NAMES, 0x70000000);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_EXPORT, EXPORT_RVA, EXPORT_NBYTES);
    collect(&c, &made, SOURCE_BIT(SOURCE_EXPORTS));
    /* The section's bytes behind the table: (0x2400 - 0x2040) / 4. */
    assert_int_equal(count_refs(&c, SOURCE_EXPORTS), 4 + 0xF0);
    assert_problem(&c, SOURCE_EXPORTS, "address table has 4294967295 entries, but the file holds only 240");
    assert_problem(&c, SOURCE_EXPORTS, "name table has 2 entries, but the file holds only 0");
    collected_free(&c, &made);
}

/* One module, imported by name and by ordinal. */
static struct tables import_tables(unsigned slot_nbytes)
{
    struct tables tables = {{0}};
    uint64_t ordinal = slot_nbytes == 8 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32;
    put(&tables, DESCRIPTORS_RVA + IMPORT_ORIGINAL_FIRST_THUNK, LOOKUP_RVA);
    put(&tables, DESCRIPTORS_RVA + IMPORT_NAME, MODULE_RVA);
    put(&tables, DESCRIPTORS_RVA + IMPORT_FIRST_THUNK, IAT_RVA);
    for (uint32_t table = LOOKUP_RVA; table <= IAT_RVA; table += IAT_RVA - LOOKUP_RVA) {
        store_width(at(&tables, table), slot_nbytes, HINT_NAME_RVA);
        store_width(at(&tables, table + slot_nbytes), slot_nbytes, ordinal | 7);
    }
    memcpy(at(&tables, HINT_NAME_RVA), "\1\0DbgPrint", 11);
    memcpy(at(&tables, MODULE_RVA), "ntoskrnl.exe", 13);
    return tables;
}

static void test_imports(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        uint32_t slot_nbytes = i == 0 ? 8 : 4;
        struct tables tables = import_tables(slot_nbytes);
        struct made_image made = with_tables(machines[i], &tables);
        struct collected c;
        make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
        collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
        assert_int_equal(c.refs.problem_count, 0);
        assert_int_equal(count_refs(&c, SOURCE_IMPORTS), 3 + 2 + 2);
        assert_ref(&c, SOURCE_IMPORTS, LOOKUP_RVA, REF_RVA, HINT_NAME_RVA, REF_RESOLVED);
        assert_ref(&c, SOURCE_IMPORTS, LOOKUP_RVA + slot_nbytes, REF_RVA,
                   slot_nbytes == 8 ? 7 : IMPORT_ORDINAL_FLAG_32 | 7, REF_CONSTANT);
        assert_ref(&c, SOURCE_IMPORTS, IAT_RVA, REF_RVA, HINT_NAME_RVA, REF_RESOLVED);
        assert_int_equal(find_ref(&c, SOURCE_IMPORTS, IAT_RVA)->width_nbytes, slot_nbytes);
        const struct ref *field = find_ref(&c, SOURCE_IMPORTS, DESCRIPTORS_RVA + IMPORT_FIRST_THUNK);
        assert_int_equal(field->detail, DETAIL_IMPORT_IAT_FIELD);
        assert_int_equal(field->flags, REF_FLAG_LOADER_WRITES);
        assert_extent(&c, EXTENT_IAT, IAT_RVA, 3 * slot_nbytes);
        assert_extent(&c, EXTENT_IMPORT_LOOKUP, LOOKUP_RVA, 3 * slot_nbytes);
        assert_extent(&c, EXTENT_IMPORT_NAME, HINT_NAME_RVA, 12);
        collected_free(&c, &made);
    }
}

static void test_bound_slots_are_constants(void **state)
{
    (void)state;
    struct tables tables = import_tables(8);
    store_u64(at(&tables, IAT_RVA), UINT64_C(0xFFFFF80012345678));
    put(&tables, DESCRIPTORS_RVA + IMPORT_TIME_DATE_STAMP, UINT32_MAX);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(c.refs.problem_count, 0);
    assert_int_equal(find_ref(&c, SOURCE_IMPORTS, IAT_RVA)->state, REF_CONSTANT);
    assert_int_equal(find_ref(&c, SOURCE_IMPORTS, LOOKUP_RVA)->state, REF_RESOLVED);
    arena_free(&c.arena);
    store_u32(made.file + made_foff(&made, DESCRIPTORS_RVA + IMPORT_TIME_DATE_STAMP), 0);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_problem(&c, SOURCE_IMPORTS, "1 slots of the IAT at RVA 0x21C0 differ");
    collected_free(&c, &made);
}

/* What may be imported, or else be a function of the image itself. */
static void test_slots_with_a_function_of_the_image(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386};
    for (size_t i = 0; i < 2; i++) {
        unsigned slot_nbytes = i == 0 ? 8 : 4;
        uint64_t base_va = i == 0 ? UINT64_C(0x140000000) : 0x10000;
        uint8_t relocations[12] = {0};
        struct tables tables = import_tables(slot_nbytes);
        store_width(at(&tables, IAT_RVA), slot_nbytes, base_va + TEXT_RVA);
        store_u32(relocations + BASERELOC_PAGE_RVA, DATA_RVA);
        store_u32(relocations + BASERELOC_BLOCK_SIZE, sizeof relocations);
        store_u16(relocations + BASERELOC_BLOCK_HEADER_NBYTES,
                  (uint16_t)((i == 0 ? 0xA000 : 0x3000) | 0x1C0));
        struct made_image made = with_tables(machines[i], &tables);
        struct collected c;
        make_section(&made, ".reloc", 0x3000, MADE_RELOC, relocations, sizeof relocations);
        make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
        make_directory(&made, DIR_BASERELOC, 0x3000, sizeof relocations);
        uint32_t sources = SOURCE_BIT(SOURCE_IMPORTS) | SOURCE_BIT(SOURCE_BASERELOCS);
        collect(&c, &made, sources);
        assert_int_equal(c.refs.problem_count, 0);
        assert_ref(&c, SOURCE_IMPORTS, LOOKUP_RVA, REF_RVA, HINT_NAME_RVA, REF_RESOLVED);
        assert_ref(&c, SOURCE_IMPORTS, IAT_RVA, REF_VA, TEXT_RVA, REF_RESOLVED);
        assert_int_equal(find_ref(&c, SOURCE_IMPORTS, IAT_RVA)->flags,
                         REF_FLAG_CODE_TARGET | REF_FLAG_RELOCATED);
        arena_free(&c.arena);
        /* Data are none. */
        store_width(made.file + made_foff(&made, IAT_RVA), slot_nbytes, base_va + DATA_RVA);
        collect(&c, &made, sources);
        assert_problem(&c, SOURCE_IMPORTS, "1 slots of the IAT at RVA 0x21C0 differ");
        assert_problem(&c, SOURCE_BASERELOCS, "that does not hold an absolute address there");
        arena_free(&c.arena);
        /* Nor is there another function where a name should be. */
        store_width(made.file + made_foff(&made, IAT_RVA), slot_nbytes, base_va + TEXT_RVA);
        store_u32(made.file + made_foff(&made, DESCRIPTORS_RVA + IMPORT_ORIGINAL_FIRST_THUNK), 0);
        collect(&c, &made, sources);
        assert_problem(&c, SOURCE_BASERELOCS, "that does not hold an absolute address there");
        collected_free(&c, &made);
    }
}

static void test_import_without_lookup_table(void **state)
{
    (void)state;
    struct tables tables = import_tables(8);
    put(&tables, DESCRIPTORS_RVA + IMPORT_ORIGINAL_FIRST_THUNK, 0);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(c.refs.problem_count, 0);
    assert_null(find_ref(&c, SOURCE_IMPORTS, LOOKUP_RVA));
    assert_ref(&c, SOURCE_IMPORTS, IAT_RVA, REF_RVA, HINT_NAME_RVA, REF_RESOLVED);
    assert_extent(&c, EXTENT_IAT, IAT_RVA, 24);
    assert_extent(&c, EXTENT_IMPORT_NAME, HINT_NAME_RVA, 12);
    collected_free(&c, &made);
}

/* A second descriptor with the same tables adds nothing but itself, and says so. */
static void test_shared_thunk_arrays(void **state)
{
    (void)state;
    struct tables tables = import_tables(8);
    memcpy(at(&tables, DESCRIPTORS_RVA + IMPORT_DESCRIPTOR_NBYTES), at(&tables, DESCRIPTORS_RVA),
           IMPORT_DESCRIPTOR_NBYTES);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(count_refs(&c, SOURCE_IMPORTS), 2 * 3 + 4);
    assert_problem(&c, SOURCE_IMPORTS, "lookup table at RVA 0x2180 runs into another table");
    assert_problem(&c, SOURCE_IMPORTS, "IAT at RVA 0x21C0 runs into another table");
    collected_free(&c, &made);
}

static void test_imports_in_no_section(void **state)
{
    (void)state;
    struct tables tables = import_tables(8);
    put(&tables, DESCRIPTORS_RVA + IMPORT_FIRST_THUNK, 0x9000);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_IMPORT, DESCRIPTORS_RVA, 40);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_ref(&c, SOURCE_IMPORTS, DESCRIPTORS_RVA + IMPORT_FIRST_THUNK, REF_RVA, 0x9000, REF_OUTSIDE);
    assert_problem(&c, SOURCE_IMPORTS, "IAT at RVA 0x9000 has no bytes");
    arena_free(&c.arena);
    store_u32(made.file + made_directory_foff(&made, DIR_IMPORT), 0x9000);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(c.refs.ref_count, 0);
    assert_problem(&c, SOURCE_IMPORTS, "directory at RVA 0x9000 has no bytes");
    collected_free(&c, &made);
}

/* The last descriptor that fits the section is not empty: there is no terminator. */
static void test_descriptors_without_end(void **state)
{
    (void)state;
    struct tables tables = import_tables(8);
    uint32_t last_rva = DATA_RVA + DATA_NBYTES - IMPORT_DESCRIPTOR_NBYTES;
    memcpy(at(&tables, last_rva), at(&tables, DESCRIPTORS_RVA), IMPORT_DESCRIPTOR_NBYTES);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_IMPORT, last_rva, 20);
    collect(&c, &made, SOURCE_BIT(SOURCE_IMPORTS));
    assert_int_equal(count_refs(&c, SOURCE_IMPORTS), 3 + 4);
    assert_problem(&c, SOURCE_IMPORTS, "do not end with an empty one");
    collected_free(&c, &made);
}

/* One descriptor with two imports, by name and by ordinal. */
static struct tables delay_tables(void)
{
    struct tables tables = import_tables(8);
    put(&tables, DELAY_RVA + DELAY_ATTRIBUTES, DELAY_ATTRIBUTE_RVA);
    put(&tables, DELAY_RVA + DELAY_NAME, MODULE_RVA);
    put(&tables, DELAY_RVA + DELAY_MODULE_HANDLE, 0x23F8);
    put(&tables, DELAY_RVA + DELAY_IAT, DELAY_SLOTS_RVA);
    put(&tables, DELAY_RVA + DELAY_INT, DELAY_NAMES_RVA);
    put(&tables, DELAY_RVA + DELAY_UNLOAD_IAT, DELAY_UNLOAD_RVA);
    store_u64(at(&tables, DELAY_NAMES_RVA), HINT_NAME_RVA);
    store_u64(at(&tables, DELAY_NAMES_RVA + 8), IMPORT_ORDINAL_FLAG_64 | 3);
    for (uint32_t i = 0; i < 2; i++) {
        store_u64(at(&tables, DELAY_SLOTS_RVA + 8 * i), UINT64_C(0x140001000) + 16 * i);
        store_u64(at(&tables, DELAY_UNLOAD_RVA + 8 * i), UINT64_C(0x140001000) + 16 * i);
    }
    return tables;
}

static void test_delay_imports(void **state)
{
    (void)state;
    struct tables tables = delay_tables();
    put(&tables, DELAY_RVA + DELAY_BOUND_IAT, BOUND_RVA);
    struct made_image made = with_tables(MACHINE_AMD64, &tables);
    struct collected c;
    make_directory(&made, DIR_DELAY_IMPORT, DELAY_RVA, 64);
    collect(&c, &made, SOURCE_BIT(SOURCE_DELAY_IMPORTS));
    assert_int_equal(c.refs.problem_count, 0);
    assert_int_equal(count_refs(&c, SOURCE_DELAY_IMPORTS), 6 + 2 + 2 + 2);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_RVA + DELAY_IAT, REF_RVA, DELAY_SLOTS_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_NAMES_RVA, REF_RVA, HINT_NAME_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_SLOTS_RVA + 8, REF_VA, TEXT_RVA + 16, REF_RESOLVED);
    assert_int_equal(find_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_SLOTS_RVA)->flags, REF_FLAG_CODE_TARGET);
    assert_int_equal(find_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_RVA + DELAY_IAT)->flags,
                     REF_FLAG_LOADER_WRITES);
    assert_extent(&c, EXTENT_DELAY_IAT, DELAY_SLOTS_RVA, 24);
    assert_extent(&c, EXTENT_DELAY_TABLE, DELAY_NAMES_RVA, 24);
    assert_extent(&c, EXTENT_DELAY_TABLE, BOUND_RVA, 24); /* addresses in the other module */
    collected_free(&c, &made);
}

static void test_damaged_delay_imports(void **state)
{
    (void)state;
    static const struct {
        uint32_t rva, value;
        const char *problem;
    } cases[] = {
        {DELAY_RVA + DELAY_INT, 0x9000, "name table of the delay-load descriptor at RVA 0x2240 has no bytes"},
        {DELAY_RVA + DELAY_INT, DELAY_RVA, "runs into another table"},
        {DELAY_RVA + DELAY_IAT, 0x9000, "delay-load table at RVA 0x9000 has no bytes"},
        {DELAY_RVA + DELAY_IAT, DATA_RVA + DATA_NBYTES - 8, "has 2 slots, but only 1 could be read"},
        {DELAY_RVA + DELAY_UNLOAD_IAT, DELAY_SLOTS_RVA, "has 2 slots, but only 0 could be read"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tables tables = delay_tables();
        put(&tables, cases[i].rva, cases[i].value);
        struct made_image made = with_tables(MACHINE_AMD64, &tables);
        struct collected c;
        make_directory(&made, DIR_DELAY_IMPORT, DELAY_RVA, 64);
        collect(&c, &made, SOURCE_BIT(SOURCE_DELAY_IMPORTS));
        assert_problem(&c, SOURCE_DELAY_IMPORTS, cases[i].problem);
        collected_free(&c, &made);
    }
}

/* The form of Visual C++ 6: the descriptor and the name table hold absolute addresses. */
static void test_delay_imports_of_old_compilers(void **state)
{
    (void)state;
    enum { BASE = 0x10000 };
    struct tables tables = import_tables(4);
    put(&tables, DELAY_RVA + DELAY_NAME, BASE + MODULE_RVA);
    put(&tables, DELAY_RVA + DELAY_IAT, BASE + DELAY_SLOTS_RVA);
    put(&tables, DELAY_RVA + DELAY_INT, BASE + DELAY_NAMES_RVA);
    put(&tables, DELAY_NAMES_RVA, BASE + HINT_NAME_RVA);
    put(&tables, DELAY_SLOTS_RVA, BASE + TEXT_RVA);
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    make_directory(&made, DIR_DELAY_IMPORT, DELAY_RVA, 64);
    collect(&c, &made, SOURCE_BIT(SOURCE_DELAY_IMPORTS));
    assert_int_equal(c.refs.problem_count, 0);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_RVA + DELAY_NAME, REF_VA, MODULE_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_NAMES_RVA, REF_VA, HINT_NAME_RVA, REF_RESOLVED);
    assert_ref(&c, SOURCE_DELAY_IMPORTS, DELAY_SLOTS_RVA, REF_VA, TEXT_RVA, REF_RESOLVED);
    assert_extent(&c, EXTENT_DELAY_IAT, DELAY_SLOTS_RVA, 8);
    collected_free(&c, &made);
}

static void test_bound_imports(void **state)
{
    (void)state;
    struct tables tables = {{0}};
    store_u16(at(&tables, BOUND_RVA + BOUND_OFFSET_MODULE_NAME), 0x20);
    store_u16(at(&tables, BOUND_RVA + BOUND_NUMBER_OF_FORWARDERS), 1);
    store_u16(at(&tables, BOUND_RVA + BOUND_DESCRIPTOR_NBYTES + BOUND_OFFSET_MODULE_NAME), 0x28);
    struct made_image made = with_tables(MACHINE_I386, &tables);
    struct collected c;
    make_directory(&made, DIR_BOUND_IMPORT, BOUND_RVA, 0x30);
    collect(&c, &made, SOURCE_BIT(SOURCE_BOUND_IMPORTS));
    assert_int_equal(c.refs.ref_count, 2);
    assert_int_equal(c.refs.problem_count, 0);
    assert_ref(&c, SOURCE_BOUND_IMPORTS, BOUND_RVA + BOUND_OFFSET_MODULE_NAME, REF_OFFSET, BOUND_RVA + 0x20,
               REF_RESOLVED);
    assert_ref(&c, SOURCE_BOUND_IMPORTS, BOUND_RVA + 8 + BOUND_OFFSET_MODULE_NAME, REF_OFFSET,
               BOUND_RVA + 0x28, REF_RESOLVED);
    arena_free(&c.arena);
    store_u16(made.file + made_foff(&made, BOUND_RVA + BOUND_NUMBER_OF_FORWARDERS), 0xFFFF);
    collect(&c, &made, SOURCE_BIT(SOURCE_BOUND_IMPORTS));
    assert_problem(&c, SOURCE_BOUND_IMPORTS, "more forwarders than the directory holds");
    collected_free(&c, &made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exports),
        cmocka_unit_test(test_export_counts_beyond_the_file),
        cmocka_unit_test(test_imports),
        cmocka_unit_test(test_bound_slots_are_constants),
        cmocka_unit_test(test_slots_with_a_function_of_the_image),
        cmocka_unit_test(test_import_without_lookup_table),
        cmocka_unit_test(test_shared_thunk_arrays),
        cmocka_unit_test(test_imports_in_no_section),
        cmocka_unit_test(test_descriptors_without_end),
        cmocka_unit_test(test_delay_imports),
        cmocka_unit_test(test_damaged_delay_imports),
        cmocka_unit_test(test_delay_imports_of_old_compilers),
        cmocka_unit_test(test_bound_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
