/* test_target.c - words for Windows releases: which are accepted, and how they are ordered. */
#include "cmocka_all.h"

#include "rules/target.h"

#include <string.h>

static enum windows_target parsed(const char *word)
{
    enum windows_target target = TARGET_11_25H2;
    if (!target_parse(word, &target))
        fail_msg("\"%s\" is refused", word);
    return target;
}

static void client_words_ascend_in_order_of_release(void **state)
{
    (void)state;
    static const char *const words[] = {
        "7",    "8",    "8.1",  "1507", "1511", "1607", "1703", "1709",    "1803",    "1809",    "1903",
        "1909", "2004", "20H2", "21H1", "21H2", "22H2", "11",   "11-22H2", "11-23H2", "11-24H2", "11-25H2"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_string_equal(target_name(parsed(words[i])), words[i]);
        if (i > 0)
            assert_true(parsed(words[i - 1]) < parsed(words[i]));
    }
}

static void server_words_mean_the_client_with_the_same_kernel(void **state)
{
    (void)state;
    assert_string_equal(target_name(parsed("server-2008-r2")), "7");
    assert_string_equal(target_name(parsed("server-2012")), "8");
    assert_string_equal(target_name(parsed("server-2012-r2")), "8.1");
    assert_string_equal(target_name(parsed("server-2016")), "1607");
    assert_string_equal(target_name(parsed("server-2019")), "1809");
    assert_string_equal(target_name(parsed("server-2022")), "21H2");
    assert_string_equal(target_name(parsed("server-2025")), "11-24H2");
}

static void case_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(parsed("22h2"), parsed("22H2"));
    assert_int_equal(parsed("Server-2012-R2"), parsed("server-2012-r2"));
}

static void other_words_are_refused_and_leave_the_target_alone(void **state)
{
    (void)state;
    static const char *const words[] = {"", "10", "170", "17033", " 1703", "1703 ", "vista", "11-", "server"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        enum windows_target target = TARGET_1809;
        if (target_parse(words[i], &target))
            fail_msg("\"%s\" is accepted", words[i]);
        assert_int_equal(target, TARGET_1809);
    }
}

static void every_listed_word_is_accepted(void **state)
{
    (void)state;
    char words[512];
    assert_true(strlen(target_words()) < sizeof words);
    strcpy(words, target_words());
    size_t count = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        (void)parsed(word);
        count++;
    }
    assert_int_equal(count, 29); /* 22 client releases and 7 servers in the documentation of the option */
    assert_true(words[0] != ' ');
}

static void the_default_is_1703(void **state)
{
    (void)state;
    assert_int_equal(TARGET_DEFAULT, parsed("1703"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_words_ascend_in_order_of_release),
        cmocka_unit_test(server_words_mean_the_client_with_the_same_kernel),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(other_words_are_refused_and_leave_the_target_alone),
        cmocka_unit_test(every_listed_word_is_accepted),
        cmocka_unit_test(the_default_is_1703),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
