/* test_rules_texts.c - the table of rules, and what its texts must and must not look like. */
#include "cmocka_all.h"

#include "rules/rule.h"

#include <regex.h>

static void the_table_holds_each_rule_once_in_order(void **state)
{
    (void)state;
    static const unsigned codes[] = {2000, 2001, 2002, 2003, 2004, 2005, 2006, 2101, 2102,
                                     2201, 2202, 2203, 2204, 2205, 2206, 2207, 2208, 2209,
                                     2210, 2211, 2212, 2213, 2214, 2300, 2301, 2302, 2303};
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
    /* Debug data tell why, not whether. */
    assert_int_equal(rules_deciding_sources(), expected & ~SOURCE_BIT(SOURCE_DEBUG));
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
        static const char *const tool_chains[] = {"link.exe", "lld-link", "GNU ld", "WDK", "CMake"};
        for (size_t k = 0; k < sizeof tool_chains / sizeof *tool_chains; k++)
            if (!rule_is_about_calls((unsigned)rules_all[i]->code) && !strstr(cure, tool_chains[k]))
                fail_msg("HVCI%u names no cure for %s", (unsigned)rules_all[i]->code, tool_chains[k]);
    }
    /* What code asks for is cured in the code, whatever compiles it. */
    for (unsigned code = 2000; code <= 2303; code = code == 2002 ? 2300 : code + 1) {
        assert_non_null(strstr(rule_find(code)->text.cure, "before: "));
        assert_non_null(strstr(rule_find(code)->text.cure, "after: "));
    }
    assert_non_null(strstr(rule_find(2004)->text.cure, "DRIVER_ALIGNMENT=0x1000"));
    assert_non_null(strstr(rule_find(2004)->text.cure, "/ALIGN"));
    assert_non_null(strstr(rule_find(2005)->text.cure, "/MERGE:.rdata=.text"));
    assert_non_null(strstr(rule_find(2101)->text.cure, "/Gy"));
    assert_non_null(strstr(rule_find(2102)->text.cure, "INIT,ERD"));
}

/* The words under which Microsoft's tools speak of it, or that they do not. */
static void every_rule_says_what_other_checkers_call_it(void **state)
{
    (void)state;
    static const char *const checkers[] = {"Driver Verifier",
                                           "HLK test \"HyperVisor Code Integrity Readiness\""};
    for (size_t i = 0; i < rules_count; i++)
        for (size_t k = 0; k < sizeof checkers / sizeof *checkers; k++)
            if (!strstr(rules_all[i]->text.windows, checkers[k]) && rules_all[i]->demand == DEMAND_NONE)
                fail_msg("HVCI%u does not speak of %s", (unsigned)rules_all[i]->code, checkers[k]);
    static const struct {
        unsigned code;
        const char *counter;
    } counters[] = {{2000, "\"Execute Pool Type\""},          {2001, "\"Execute Page Protection\""},
                    {2002, "\"Execute Page Mapping\""},       {2003, "\"Execute-Write Section\""},
                    {2004, "\"Section Alignment Failures\""}, {2005, "\"IAT in Executable Section\""},
                    {2101, "\"Unsupported Relocs\""}};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        assert_non_null(strstr(rule_find(counters[i].code)->text.windows, counters[i].counter));
}

/* What fix does comes first, then what it refuses. */
static void repairs_say_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < rules_count; i++) {
        const char *repair = rules_all[i]->text.repair;
        assert_int_equal(strncmp(repair, "fix ", 4), 0);
        assert_null(strstr(repair, "fix refuses:"));
        assert_true(strstr(repair, "Refused: ") ||
                    (rules_all[i]->demand != DEMAND_NONE && strstr(repair, "refuse")));
    }
}

/* Each demand has one rule and the other way round, and words that [require] takes. */
static void each_demand_has_its_rule(void **state)
{
    (void)state;
    size_t demanded_count = 0;
    for (size_t i = 0; i < rules_count; i++) {
        const struct rule *rule = rules_all[i];
        assert_int_equal(rule->demand != DEMAND_NONE, rule->code >= 2200 && rule->code < 2300);
        assert_int_equal(demand_of_code((unsigned)rule->code), rule->demand);
        if (rule->demand == DEMAND_NONE)
            continue;
        const struct demand_row *row = &demand_rows[rule->demand];
        demanded_count++;
        assert_int_equal(row->code, rule->code);
        assert_string_equal(row->words[DEMAND_ANY], "any");
        assert_non_null(row->words[DEMAND_HOLDS]);
        assert_string_equal(rule->default_level, "off, error when demanded");
        assert_non_null(strstr(rule->text.what, row->key)); /* as it is written in a policy */
    }
    assert_int_equal(demanded_count, DEMAND_COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_holds_each_rule_once_in_order),
        cmocka_unit_test(sources_are_the_union_of_what_rules_need),
        cmocka_unit_test(no_text_looks_like_a_diagnostic),
        cmocka_unit_test(cures_name_each_tool_chain),
        cmocka_unit_test(every_rule_says_what_other_checkers_call_it),
        cmocka_unit_test(repairs_say_what_is_refused),
        cmocka_unit_test(each_demand_has_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
