/* test_path_name.c - paths of both systems are cut in the same way on each of them. */
#include "cmocka_all.h"

#include "base/path_name.h"

static void parts_are_cut_at_separators_of_either_system(void **state)
{
    static const struct {
        const char *path, *last_part, *file_name;
        size_t folder_nbytes;
    } rows[] = {
        {"", "", "", 0},
        {"a.sys", "a.sys", "a.sys", 0},
        {"/a.sys", "a.sys", "a.sys", 1},
        {"C:\\b/a.sys", "a.sys", "a.sys", 5},
        {"C:a.sys", "C:a.sys", "C:a.sys", 0},
        {"b/", "", "", 2},
        {"d/setup.exe!rsrc/102!x.sys", "102!x.sys", "x.sys", 17},
        {"d!e/a.sys", "a.sys", "a.sys", 4},
        {"setup.exe!a.sys", "setup.exe!a.sys", "a.sys", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(path_last_part(rows[i].path), rows[i].last_part);
        assert_string_equal(path_file_name(rows[i].path), rows[i].file_name);
        assert_int_equal(path_folder_nbytes(rows[i].path), rows[i].folder_nbytes);
    }
}

static void a_folder_with_its_separator_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(path_last_named_part("a/b\\"), "b\\");
    assert_string_equal(path_last_named_part("a\\b"), "b");
    assert_string_equal(path_last_named_part("/"), "/");
    assert_string_equal(path_last_named_part(""), "");
}

static void names_beside_a_file(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL);
    assert_string_equal(path_beside(&arena, "a.sys", "b.pdb"), "b.pdb");
    assert_string_equal(path_beside(&arena, "x\\a.sys", "b.pdb"), "x\\b.pdb");
    assert_string_equal(path_with_suffix(&arena, "a.sys", ".pdb"), "a.pdb");
    assert_string_equal(path_with_suffix(&arena, "1.0/a", ".pdb"), "1.0/a.pdb");
    assert_string_equal(path_with_suffix(&arena, "1.0\\a.b.sys", ".pdb"), "1.0\\a.b.pdb");
    assert_string_equal(path_with_suffix(&arena, ".sys", ".pdb"), ".pdb");
    arena_free(&arena);
}

static void suffixes_are_compared_without_case(void **state)
{
    (void)state;
    assert_true(path_has_suffix("A.SYS", ".sys"));
    assert_true(path_has_suffix(".sys", ".sys"));
    assert_false(path_has_suffix("sys", ".sys"));
    assert_false(path_has_suffix("a.sys_", ".sys"));
    assert_true(path_is_image_name("boot.EFI"));
    assert_false(path_is_image_name("boot.efi.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_cut_at_separators_of_either_system),
        cmocka_unit_test(a_folder_with_its_separator_has_a_name),
        cmocka_unit_test(names_beside_a_file),
        cmocka_unit_test(suffixes_are_compared_without_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
