/* test_rules_markdown.c - docs/RULES.md is what the table of rules says, byte by byte.
 * HVCIFIX_SOURCE names the source tree; without it the current directory is taken. To write the page anew:
 * HVCIFIX_WRITE_RULES=1 build/test_rules_markdown. */
#include "cmocka_all.h"

#include "rules/rule.h"
#include "rules/rules_markdown.h"

static void page_path(char *path, size_t path_nbytes)
{
    const char *source = getenv("HVCIFIX_SOURCE");
    int length = snprintf(path, path_nbytes, "%s/docs/RULES.md", source ? source : ".");
    assert_true(length > 0 && (size_t)length < path_nbytes);
}

static void the_page_is_the_table(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    rules_markdown(&text);
    assert_false(arena.exhausted);

    char path[4096];
    page_path(path, sizeof path);
    if (getenv("HVCIFIX_WRITE_RULES")) {
        FILE *page = fopen(path, "wb");
        assert_non_null(page);
        assert_int_equal(fwrite(text.chars, 1, text.nbytes, page), text.nbytes);
        assert_int_equal(fclose(page), 0);
    }
    FILE *page = fopen(path, "rb");
    if (!page)
        fail_msg("cannot open %s (is HVCIFIX_SOURCE set?)", path);
    char *read = arena_alloc(&arena, text.nbytes + 2);
    size_t read_nbytes = fread(read, 1, text.nbytes + 1, page);
    fclose(page);
    if (read_nbytes != text.nbytes || memcmp(read, text.chars, text.nbytes) != 0)
        fail_msg("%s is not what the table says; write it anew", path);
    arena_free(&arena);
}

static void the_page_names_every_rule(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    rules_markdown(&text);
    for (size_t i = 0; i < rules_count; i++) {
        const char *heading = arena_printf(&arena, "\n## HVCI%04u\n", (unsigned)rules_all[i]->code);
        assert_non_null(strstr(text.chars, heading));
    }
    static const char *const words[] = {"## HVCI2003\n", "## HVCI2214\n", "`signature = present`",
                                        "[require]", "error before 1703, else note"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_non_null(strstr(text.chars, words[i]));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_the_table),
        cmocka_unit_test(the_page_names_every_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
