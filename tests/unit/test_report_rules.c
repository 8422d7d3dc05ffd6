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

/* The codes as base/finding.h lists them, "NAME = NUMBER" each; returns how many there are. HVCIFIX_SOURCE
 * names the source tree; without it the current directory is taken. */
static size_t listed_codes(unsigned *codes, size_t most)
{
    const char *source = getenv("HVCIFIX_SOURCE");
    char path[4096], line[512];
    snprintf(path, sizeof path, "%s/tool/base/finding.h", source ? source : ".");
    FILE *header = fopen(path, "rb");
    if (!header)
        fail_msg("cannot open %s (is HVCIFIX_SOURCE set?)", path);
    size_t count = 0;
    while (fgets(line, sizeof line, header)) {
        unsigned code;
        if (sscanf(line, " HVCI%*[0-9A-Z_] = %u", &code) == 1 && count < most)
            codes[count++] = code;
    }
    fclose(header);
    return count;
}

/* HVCI9009 must never exist. */
static void every_code_explains_itself(void **state)
{
    (void)state;
    unsigned codes[256];
    size_t code_count = listed_codes(codes, sizeof codes / sizeof codes[0]);
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < code_count; i++) {
        const char *text = explained(&arena, codes[i]);
        char head[16];
        snprintf(head, sizeof head, "HVCI%04u", codes[i]);
        if (!text)
            fail_msg("HVCI%04u is not explained", codes[i]);
        assert_memory_equal(text, head, strlen(head));
        assert_fits_the_screen(text);
    }
    assert_int_equal(code_count, rules_count + own_code_count);
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
