/* test_call_verdicts.c - what a verdict says when the analysis stopped, and rows of the table that no import
 * library of the fixtures has. Expected numbers: the declarations in wdm.h and ntifs.h. */
#include "cmocka_all.h"

#include "calls/calls_internal.h"

static const struct leaf executable = {.kind = LEAF_BITS, .known_bits = UINT64_MAX, .value = 0};

static struct call_site decided(struct arena *arena, const struct leaves *leaves)
{
    struct call_search search = {.arena = arena};
    struct call_site site = {.api = kernel_api_find("ExAllocatePoolWithTag")};
    arena_init(arena, NULL);
    site_decide(&search, leaves, &site);
    return site;
}

static void test_a_stopped_analysis_says_so(void **state)
{
    (void)state;
    struct arena arena;
    struct leaves leaves = {.is_full = true, .is_cut = true};
    struct call_site site = decided(&arena, &leaves);
    assert_int_equal(site.verdict, SITE_UNKNOWN);
    assert_string_equal(site.reason, site_stopped_words);
    arena_free(&arena);

    leaves.items[leaves.count++] = executable;
    site = decided(&arena, &leaves);
    assert_int_equal(site.verdict, SITE_DEPENDS);
    assert_string_equal(site.reason, "it is executable with NonPagedPool");
    arena_free(&arena);
}

static void test_steps_are_spent_once_more_are_wanted(void **state)
{
    (void)state;
    struct call_search search = {.steps = {.left = 2}};
    assert_true(search_take_steps(&search, 2));
    assert_false(search.steps.is_spent);
    assert_false(search_take_steps(&search, 1));
    assert_true(search.steps.is_spent);
}

static void test_protections_of_functions_with_extended_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int argument;
    } rows[] = {{"ZwMapViewOfSectionEx", 6},
                {"NtMapViewOfSectionEx", 6},
                {"ZwAllocateVirtualMemoryEx", 4},
                {"NtAllocateVirtualMemoryEx", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct kernel_api *api = kernel_api_find(rows[i].name);
        assert_non_null(api);
        assert_int_equal(api->argument, rows[i].argument);
        assert_int_equal(kernel_api_meaning(api, UINT64_MAX, 0x40), MEANS_EXECUTABLE);
        assert_int_equal(kernel_api_meaning(api, UINT64_MAX, 0x04), MEANS_NO_EXECUTE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stopped_analysis_says_so),
        cmocka_unit_test(test_steps_are_spent_once_more_are_wanted),
        cmocka_unit_test(test_protections_of_functions_with_extended_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
