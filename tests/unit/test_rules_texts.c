/* test_rules_texts.c - the table of rules, and what its texts must and must not look like. */
#include "cmocka_all.h"

#include "rules/rule.h"

#include <regex.h>

static void the_table_holds_each_rule_once_in_order(void **state)
{
    (void)state;
    static const unsigned codes[] = {2003, 2004, 2005, 2006, 2101, 2102};
    assert_int_equal(rules_count, sizeof codes / sizeof *codes);
    for (size_t i = 0; i < rules_count; i++) {
        assert_int_equal(rules_all[i]->code, codes[i]);
        assert_ptr_equal(rule_find(codes[i]), rules_all[i]);
    }
    assert_null(rule_find(0));
    assert_null(rule_find(2007));
    assert_null(rule_find(9001));
}

static void sources_are_the_union_of_what_rules_need(void **state)
{
    (void)state;
    uint32_t expected = SOURCE_BIT(SOURCE_IMPORTS) | SOURCE_BIT(SOURCE_DEBUG) |
                        SOURCE_BIT(SOURCE_LOAD_CONFIG) | SOURCE_BIT(SOURCE_DELAY_IMPORTS) |
                        SOURCE_BIT(SOURCE_BASERELOCS) | SOURCE_BIT(SOURCE_RELOCATED);
    assert_int_equal(rules_sources(), expected);
    assert_int_equal(rule_find(2003)->needs, 0);
    assert_int_equal(rule_find(2004)->needs, 0);
    assert_int_equal(rule_find(2102)->needs, 0);
}

/* Every text, with the rule's own fields. */
static void each_text(const struct rule *rule, void (*look)(const char *text))
{
    const char *const texts[] = {rule->title,        rule->default_level, rule->text.what,
                                 rule->text.windows, rule->text.cure,     rule->text.repair};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_non_null(texts[i]);
        look(texts[i]);
    }
}

/* The shape that MSBuild reads as a diagnostic: the word, perhaps one more word, a colon. */
static void look_for_diagnostics(const char *text)
{
    regex_t diagnostic;
    assert_int_equal(regcomp(&diagnostic, "(error|warning)[ \t]*[^ \t:]*[ \t]*:", REG_EXTENDED | REG_ICASE),
                     0);
    assert_int_equal(regexec(&diagnostic, "hint: warning: foo", 0, NULL, 0), 0); /* it can match */
    if (regexec(&diagnostic, text, 0, NULL, 0) == 0)
        fail_msg("looks like a diagnostic: %s", text);
    regfree(&diagnostic);
}

static void look_for_foreign_characters(const char *text)
{
    assert_true(strlen(text) > 0);
    for (; *text; text++)
        if ((*text < ' ' && *text != '\n') || *text > '~')
            fail_msg("not plain ASCII: %s", text);
}

static void no_text_looks_like_a_diagnostic(void **state)
{
    (void)state;
    for (size_t i = 0; i < rules_count; i++) {
        each_text(rules_all[i], look_for_diagnostics);
        each_text(rules_all[i], look_for_foreign_characters);
    }
}

static void cures_name_each_tool_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i < rules_count; i++) {
        const char *cure = rules_all[i]->text.cure;
        static const char *const tool_chains[] = {"link.exe", "lld-link", "GNU ld", "WDK"};
        for (size_t k = 0; k < sizeof tool_chains / sizeof *tool_chains; k++)
            if (!strstr(cure, tool_chains[k]))
                fail_msg("HVCI%u names no cure for %s", (unsigned)rules_all[i]->code, tool_chains[k]);
    }
    assert_non_null(strstr(rule_find(2004)->text.cure, "DRIVER_ALIGNMENT=0x1000"));
    assert_non_null(strstr(rule_find(2004)->text.cure, "/ALIGN"));
    assert_non_null(strstr(rule_find(2005)->text.cure, "/MERGE:.rdata=.text"));
    assert_non_null(strstr(rule_find(2101)->text.cure, "/Gy"));
    assert_non_null(strstr(rule_find(2102)->text.cure, "INIT,ERD"));
}

/* What fix does comes first, then what it refuses. */
static void repairs_say_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < rules_count; i++) {
        const char *repair = rules_all[i]->text.repair;
        assert_int_equal(strncmp(repair, "fix ", 4), 0);
        assert_null(strstr(repair, "fix refuses:"));
        assert_true(strstr(repair, "Refused: ") || strstr(repair, "refuses"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds_each_rule_once_in_order),
        cmocka_unit_test(sources_are_the_union_of_what_rules_need),
        cmocka_unit_test(no_text_looks_like_a_diagnostic),
        cmocka_unit_test(cures_name_each_tool_chain),
        cmocka_unit_test(repairs_say_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
