/* test_report_rules.c - `rules` and `explain`: every code explains itself, within 100 columns. */
#include "cmocka_all.h"

#include "outcome_by_hand.h"
#include "report/own_codes.h"

static const struct report_style style = {false, false};

static const char *explained(struct arena *arena, unsigned code)
{
    struct text text = {.arena = arena};
    return report_text_explain(&text, code, &style) ? hand_chars(&text) : NULL;
}

static void assert_fits_the_screen(const char *text)
{
    while (*text) {
        size_t columns = strcspn(text, "\n");
        if (columns > 100)
            fail_msg("too long: %.*s", (int)columns, text);
        text += columns + (text[columns] == '\n');
    }
}

/* The codes as base/finding.h lists them; HVCI9009 must never exist. */
static void every_code_explains_itself(void **state)
{
    (void)state;
    static const unsigned codes[] = {2003, 2004, 2005, 2006, 2101, 2102, 9001, 9002, 9003,
                                     9004, 9005, 9006, 9007, 9008, 9010, 9011, 9020, 9021,
                                     9022, 9023, 9030, 9031, 9032, 9040, 9041, 9042, 9043};
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const char *text = explained(&arena, codes[i]);
        char head[16];
        snprintf(head, sizeof head, "HVCI%04u", codes[i]);
        assert_non_null(text);
        assert_memory_equal(text, head, strlen(head));
        assert_fits_the_screen(text);
    }
    assert_int_equal(sizeof codes / sizeof codes[0], rules_count + own_code_count);
    assert_null(explained(&arena, 9009));
    assert_null(explained(&arena, 0));
    assert_null(explained(&arena, 2007));
    arena_free(&arena);
}

static void an_explanation_has_its_parts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    assert_string_equal(explained(&arena, 9008),
                        "HVCI9008, memory ran out\n"
                        "\nWhat it means\n"
                        "    There was not enough memory to finish this image.\n"
                        "\nWhat to do\n"
                        "    Run on a machine with more free memory, or name fewer images at a time.\n");
    const char *text = explained(&arena, 2004);
    const char *what = strstr(text, "\nWhat it means\n    ");
    const char *windows = strstr(text, "\nWhat Windows does\n    ");
    const char *cure = strstr(text, "\nCure at the source\n    ");
    const char *repair = strstr(text, "\nWhat hvcifix fix does\n    ");
    assert_true(what && windows > what && cure > windows && repair > cure);
    arena_free(&arena);
}

static void the_table_lists_all(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    report_text_rules(&text, &style);
    assert_fits_the_screen(text.chars);
    for (size_t i = 0; i < rules_count; i++)
        assert_non_null(strstr(text.chars, rules_all[i]->title));
    for (size_t i = 0; i < own_code_count; i++)
        assert_non_null(strstr(text.chars, own_codes[i].title));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_explains_itself),
        cmocka_unit_test(an_explanation_has_its_parts),
        cmocka_unit_test(the_table_lists_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
