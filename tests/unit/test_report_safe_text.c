/* test_report_safe_text.c - data must not control the screen, start a line, or pass for a diagnostic. */
#include "cmocka_all.h"

#include "report/safe_text.h"

static struct arena arena;

static const char *added(void (*add)(struct text *, const char *), const char *chars)
{
    struct text text = {.arena = &arena};
    add(&text, chars);
    return text.chars ? text.chars : "";
}

static const char *ended(const char *line)
{
    struct text text = {.arena = &arena};
    text_addz(&text, "error X: a line before\n");
    size_t line_start = text.nbytes;
    text_addz(&text, line);
    safe_end_line(&text, line_start);
    assert_memory_equal(text.chars, "error X: a line before\n", line_start);
    return text.chars + line_start;
}

static void utf8_lengths_follow_the_standard(void **state)
{
    (void)state;
    assert_int_equal(safe_utf8_nbytes(""), 0);
    assert_int_equal(safe_utf8_nbytes("a"), 1);
    assert_int_equal(safe_utf8_nbytes("\xC3\xBC"), 2);
    assert_int_equal(safe_utf8_nbytes("\xE2\x82\xAC"), 3);
    assert_int_equal(safe_utf8_nbytes("\xF0\x9F\x98\x80"), 4);
    assert_int_equal(safe_utf8_nbytes("\xF4\x8F\xBF\xBF"), 4);
    /* stray, cut, overlong, surrogate, beyond U+10FFFF */
    static const char *const wrong[] = {"\x80",
                                        "\xC3",
                                        "\xC3(",
                                        "\xE2\x82",
                                        "\xC0\x80",
                                        "\xC1\xBF",
                                        "\xE0\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xFF"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(safe_utf8_nbytes(wrong[i]), 0);
}

static void control_bytes_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(added(safe_add, "a\nb\x1B[31mc\td\x7F"), "a\\x0Ab\\x1B[31mc\\x09d\\x7F");
    assert_string_equal(added(safe_add, "\xC2\x85\xC2\xA0"), "\\xC2\\x85\xC2\xA0"); /* NEL; NBSP stays */
    assert_string_equal(added(safe_add, "x\xE2\x80\xAEsys\xE2\x80\xA8"),
                        "x\\xE2\\x80\\xAEsys\\xE2\\x80\\xA8"); /* right-to-left override, line separator */
    assert_string_equal(added(safe_add, "\xD8\x9C\xD8\x9B"),
                        "\\xD8\\x9C\xD8\x9B"); /* a direction, a letter */
    assert_string_equal(added(safe_add, "\xE2\x81\xA6\xEF\xBB\xBF"), "\\xE2\\x81\\xA6\\xEF\\xBB\\xBF");
    assert_string_equal(added(safe_add, "\xC3\xBC\xFF\xE2\x82\xAC"), "\xC3\xBC\\xFF\xE2\x82\xAC");
    assert_string_equal(added(safe_add, "a:b: c"), "a:b: c");
    assert_string_equal(added(safe_add, ""), "");
}

static void paths_keep_only_the_colon_of_a_drive(void **state)
{
    (void)state;
    assert_string_equal(added(safe_add_path, "C:\\d\\x.sys"), "C:\\d\\x.sys");
    assert_string_equal(added(safe_add_path, "c:x:y"), "c:x\\x3Ay");
    assert_string_equal(added(safe_add_path, "/a:b/x.sys"), "/a\\x3Ab/x.sys");
    assert_string_equal(added(safe_add_path, ":x"), "\\x3Ax");
    assert_string_equal(added(safe_add_path, "1:x"), "1\\x3Ax");
}

static void what_msbuild_would_parse_loses_its_colon(void **state)
{
    (void)state;
    assert_string_equal(ended("x : error T1: m"), "x : error T1; m\n");
    assert_string_equal(ended("x : WARNING: m"), "x : WARNING; m\n");
    assert_string_equal(ended("error :"), "error ;\n");
    assert_string_equal(ended("cells   "), "cells\n");
    assert_string_equal(ended("   "), "\n");
    assert_string_equal(ended("a Error   T1  : b"), "a Error   T1  ; b\n");
    assert_string_equal(ended("hint: warning: foo"), "hint: warning; foo\n");
    assert_string_equal(ended("result: error: none: x"), "result: error; none: x\n");
    assert_string_equal(ended("error T1:: m"), "error T1;; m\n");
    assert_string_equal(ended("error\xC2\xA0: m"), "error\xC2\xA0; m\n"); /* a blank to .NET */
    assert_string_equal(ended("warn\xC4\xB1ng T\xC3\xBC: m"),
                        "warn\xC4\xB1ng T\xC3\xBC; m\n"); /* dotless i */
    assert_string_equal(ended("error error T1: m"), "error error T1; m\n");
    assert_string_equal(ended("my error log.sys : note H1: m"), "my error log.sys ; note H1: m\n");
}

static void what_msbuild_would_not_parse_stays(void **state)
{
    (void)state;
    static const char *const harmless[] = {
        "drv.sys: 2 findings (1 error, 1 warning)",
        "2 errors: none",
        "an error in two words: x",
        "the errors are: a, b",
        "x : note HVCI2102: section INIT",
        "terror-free: yes",
        "error",
        "warning T1",
        "",
    };
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        const char *line = ended(harmless[i]);
        assert_memory_equal(line, harmless[i], strlen(harmless[i]));
        assert_string_equal(line + strlen(harmless[i]), "\n");
    }
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_lengths_follow_the_standard),
        cmocka_unit_test(control_bytes_are_escaped),
        cmocka_unit_test(paths_keep_only_the_colon_of_a_drive),
        cmocka_unit_test(what_msbuild_would_parse_loses_its_colon),
        cmocka_unit_test(what_msbuild_would_not_parse_stays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
