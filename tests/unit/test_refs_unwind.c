/* test_refs_unwind.c - function records and unwind info of x64 and ARM64: shared, chained, cyclic, cut off.
 */
#include "refs_unwind_by_hand.h"

static void test_x64_function(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t info_rva = add_unwind(u, 0, 0);
    uint32_t record_rva = add_function(u, info_rva);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.ref_count, 3);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_ref(&u->c, SOURCE_EXCEPTION, record_rva, REF_RVA, function_rva(0), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_EXCEPTION, record_rva + 4, REF_RVA, function_rva(0) + 0x20, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_EXCEPTION, record_rva + 8, REF_RVA, info_rva, REF_RESOLVED);
    assert_int_equal(find_ref(&u->c, SOURCE_EXCEPTION, record_rva)->flags, REF_FLAG_CODE_TARGET);
    assert_extent(&u->c, EXTENT_PDATA, DATA_RVA, 12);
    assert_extent(&u->c, EXTENT_UNWIND_INFO, info_rva, 8); /* one code, padded to two */
    free_unwind(u);
}

static void test_shared_unwind_info_is_read_once(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t info_rva = add_unwind(u, UNWIND_FLAG_EHANDLER, 8);
    put(u, info_rva + 8, HANDLER_RVA);
    for (int i = 0; i < 5; i++)
        add_function(u, info_rva);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_EXCEPTION), 15);
    assert_int_equal(count_refs(&u->c, SOURCE_UNWIND), 1);
    assert_ref(&u->c, SOURCE_UNWIND, info_rva + 8, REF_RVA, HANDLER_RVA, REF_RESOLVED);
    assert_int_equal(count_extents(&u->c, EXTENT_UNWIND_INFO), 1);
    free_unwind(u);
}

static void test_chained_unwind_info(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t parent_rva = add_unwind(u, 0, 0);
    uint32_t child_rva = add_unwind(u, UNWIND_FLAG_CHAININFO, RUNTIME_FUNCTION_NBYTES);
    PUT_WORDS(u, child_rva + 8, function_rva(0), function_rva(1), parent_rva);
    add_function(u, child_rva);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_UNWIND), 3);
    assert_ref(&u->c, SOURCE_UNWIND, child_rva + 8, REF_RVA, function_rva(0), REF_RESOLVED);
    assert_ref(&u->c, SOURCE_UNWIND, child_rva + 16, REF_RVA, parent_rva, REF_RESOLVED);
    assert_extent(&u->c, EXTENT_UNWIND_INFO, child_rva, 20);
    assert_extent(&u->c, EXTENT_UNWIND_INFO, parent_rva, 8);
    free_unwind(u);
}

static void test_cyclic_chain_ends(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t first_rva = add_unwind(u, UNWIND_FLAG_CHAININFO, RUNTIME_FUNCTION_NBYTES);
    uint32_t second_rva = add_unwind(u, UNWIND_FLAG_CHAININFO, RUNTIME_FUNCTION_NBYTES);
    PUT_WORDS(u, first_rva + 8, function_rva(0), function_rva(1), second_rva);
    PUT_WORDS(u, second_rva + 8, function_rva(0), function_rva(1), first_rva);
    add_function(u, first_rva);
    add_function(u, second_rva);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_UNWIND), 6);
    free_unwind(u);
}

/* Bit 0 of the unwind field: the rest is another record, in the table or outside it. */
static void test_indirect_records(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t info_rva = add_unwind(u, 0, 0);
    uint32_t first_record_rva = add_function(u, info_rva);
    uint32_t second_record_rva = add_function(u, first_record_rva | RUNTIME_FUNCTION_INDIRECT);
    add_function(u, LANGUAGE_RVA | RUNTIME_FUNCTION_INDIRECT);
    PUT_WORDS(u, LANGUAGE_RVA, function_rva(0), function_rva(1), LANGUAGE_RVA | RUNTIME_FUNCTION_INDIRECT);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_EXCEPTION), 9);
    assert_int_equal(count_refs(&u->c, SOURCE_UNWIND), 3);
    assert_ref(&u->c, SOURCE_EXCEPTION, second_record_rva + 8, REF_RVA_FLAGS, first_record_rva, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_UNWIND, LANGUAGE_RVA + 8, REF_RVA_FLAGS, LANGUAGE_RVA, REF_RESOLVED);
    free_unwind(u);
}

static void test_unwind_info_that_cannot_be_read(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    uint32_t newer_rva = add_unwind(u, 0, 0);
    at(u, newer_rva)[0] = 3;
    add_function(u, newer_rva);
    add_function(u, 0x7000);
    uint32_t cut_rva = DATA_RVA + DATA_NBYTES - 4;
    at(u, cut_rva)[0] = 1 | UNWIND_FLAG_EHANDLER << 3;
    add_function(u, cut_rva);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(count_refs(&u->c, SOURCE_EXCEPTION), 9);
    assert_int_equal(count_refs(&u->c, SOURCE_UNWIND), 0);
    assert_problem(&u->c, SOURCE_UNWIND, "1 unwind infos (the first at RVA 0x2200) are of a version");
    assert_problem(&u->c, SOURCE_UNWIND, "RVA 0x7000 of the function at RVA 0x1020 has no bytes");
    assert_problem(&u->c, SOURCE_UNWIND, "RVA 0x2FFC runs past the end");
    free_unwind(u);
}

static void test_each_source_alone(void **state)
{
    (void)state;
    static const struct {
        enum ref_source source;
        size_t count;
    } cases[] = {{SOURCE_EXCEPTION, 3}, {SOURCE_UNWIND, 1}, {SOURCE_HANDLER_DATA, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct unwind_image *u = unwind_image(MACHINE_AMD64);
        put_thunk(u, "__C_specific_handler");
        ADD_HANDLED(u, THUNK_RVA, 1, function_rva(0), function_rva(0) + 8, 1, function_rva(0) + 0x10);
        collect_unwind(u, SOURCE_BIT(cases[i].source));
        assert_int_equal(u->c.refs.ref_count, cases[i].count);
        assert_int_equal(count_refs(&u->c, cases[i].source), cases[i].count);
        free_unwind(u);
    }
}

static void test_tables_of_other_machines_are_not_read(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_IA64);
    add_function(u, UNWIND_RVA);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.ref_count, 0);
    assert_problem(&u->c, SOURCE_EXCEPTION, "of this machine is not read");
    free_unwind(u);
}

static void test_table_larger_than_the_file(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_AMD64);
    u->function_count = 0x10000000;
    collect_unwind(u, UNWIND_SOURCES);
    assert_problem(&u->c, SOURCE_EXCEPTION, "but the file holds only 0xFFC");
    assert_int_equal(count_refs(&u->c, SOURCE_EXCEPTION), 0xFFC / 4);
    free_unwind(u);
}

/* ARM64: a packed word, an .xdata record, a reference to another record, and one to a record that is none. */
static void test_arm64_functions(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_ARM64);
    uint32_t packed_rva = add_function(u, 0x00400009);
    uint32_t xdata_record_rva = add_function(u, UNWIND_RVA);
    uint32_t reference_rva = add_function(u, xdata_record_rva | 3);
    add_function(u, (xdata_record_rva + 4) | 3);
    put(u, UNWIND_RVA, 1u << 27 | 1u << 22 | 8); /* one word of codes, one epilogue scope, 8 instructions */
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.ref_count, 8);
    assert_ref(&u->c, SOURCE_EXCEPTION, packed_rva + 4, REF_RVA, 0x00400009, REF_CONSTANT);
    assert_ref(&u->c, SOURCE_EXCEPTION, xdata_record_rva + 4, REF_RVA, UNWIND_RVA, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_EXCEPTION, reference_rva + 4, REF_RVA_FLAGS, xdata_record_rva, REF_RESOLVED);
    assert_int_equal(count_problems(&u->c, SOURCE_EXCEPTION), 1);
    assert_problem(&u->c, SOURCE_EXCEPTION, "RVA 0x2018 names another record that is not in the table");
    assert_extent(&u->c, EXTENT_UNWIND_INFO, UNWIND_RVA, 12);
    free_unwind(u);
}

/* The extension word counts epilogues and codes when the header has no room; X: a handler follows. */
static void test_arm64_extended_record_with_handler(void **state)
{
    (void)state;
    struct unwind_image *u = unwind_image(MACHINE_ARM64);
    put_thunk(u, "__C_specific_handler");
    add_function(u, UNWIND_RVA);
    put(u, UNWIND_RVA, 1u << 20 | 8);
    put(u, UNWIND_RVA + 4, 2u << 16 | 3); /* two words of codes, three epilogue scopes */
    uint32_t handler_at = UNWIND_RVA + 8 + 3 * 4 + 2 * 4;
    PUT_WORDS(u, handler_at, THUNK_RVA, 1, function_rva(0), function_rva(0) + 8, 1, function_rva(0) + 0x10);
    collect_unwind(u, UNWIND_SOURCES);
    assert_int_equal(u->c.refs.problem_count, 0);
    assert_ref(&u->c, SOURCE_UNWIND, handler_at, REF_RVA, THUNK_RVA, REF_RESOLVED);
    assert_ref(&u->c, SOURCE_HANDLER_DATA, handler_at + 8, REF_RVA, function_rva(0), REF_RESOLVED);
    assert_int_equal(count_refs(&u->c, SOURCE_HANDLER_DATA), 4);
    free_unwind(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x64_function),
        cmocka_unit_test(test_shared_unwind_info_is_read_once),
        cmocka_unit_test(test_chained_unwind_info),
        cmocka_unit_test(test_cyclic_chain_ends),
        cmocka_unit_test(test_indirect_records),
        cmocka_unit_test(test_unwind_info_that_cannot_be_read),
        cmocka_unit_test(test_each_source_alone),
        cmocka_unit_test(test_tables_of_other_machines_are_not_read),
        cmocka_unit_test(test_table_larger_than_the_file),
        cmocka_unit_test(test_arm64_functions),
        cmocka_unit_test(test_arm64_extended_record_with_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
