/* run_policy.c - run_policy.h.
 * Takes: parsed options.  Gives: policies and texts.  Must not: know keys of policies. */
#include "cli/run_policy.h"

#include "cli/console.h"
#include "report/report_policy.h"

#include <stdlib.h>
#include <time.h>

enum { SECONDS_A_DAY = 24 * 60 * 60 };

/* In UTC, so that one policy means the same everywhere. Builds that must be repeatable set SOURCE_DATE_EPOCH,
 * the number of seconds that counts as now. */
static day_number today(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    long long seconds = epoch && *epoch ? strtoll(epoch, &end, 10) : 0;
    if (!end || *end != 0 || seconds < 0 || seconds / SECONDS_A_DAY > INT32_MAX)
        seconds = (long long)time(NULL);
    return (day_number)(seconds / SECONDS_A_DAY);
}

static enum finding_level worst_problem(const struct policy_problem_list *problems)
{
    enum finding_level worst = LEVEL_OFF;
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].level > worst)
            worst = problems->items[i].level;
    return worst;
}

bool policy_load(const struct cli_options *options, const struct report_style *style, struct arena *arena,
                 struct policy *policy, enum exit_code *exit_code)
{
    struct policy_problem_list problems;
    struct text text = {.arena = arena};
    bool is_usable = policy_read(options->policy_path, today(), arena, policy, &problems);
    for (size_t i = 0; i < problems.count; i++)
        report_text_policy_problem(&text, &problems.items[i], style);
    if (arena->exhausted) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the policy.\n");
        *exit_code = EXIT_INPUT;
        return false;
    }
    if (text.nbytes != 0)
        console_complain("%s", text.chars);
    *exit_code = !is_usable                                ? EXIT_USAGE
                 : worst_problem(&problems) == LEVEL_ERROR ? EXIT_FINDINGS
                                                           : EXIT_CLEAN;
    return is_usable;
}

static enum exit_code run_init(const struct cli_options *options, struct text *text)
{
    const char *const *preset = policy_preset_names;
    while (options->preset && *preset && strcmp(*preset, options->preset) != 0)
        preset++;
    if (options->preset && !*preset) {
        console_complain("hvcifix : error HVCI9010: There is no such preset; there are windows-11, "
                         "windows-10-1507, whcp and audit.\n");
        return EXIT_USAGE;
    }
    const char *words = policy_init_text(options->preset, text->arena);
    if (words)
        text_addz(text, words);
    return EXIT_CLEAN;
}

static enum exit_code run_check(const struct cli_options *options, const struct report_style *style,
                                struct text *text)
{
    struct policy policy;
    struct policy_problem_list problems;
    bool is_usable = policy_read(options->paths[0], today(), text->arena, &policy, &problems);
    for (size_t i = 0; i < problems.count; i++)
        report_text_policy_problem(text, &problems.items[i], style);
    if (!style->quiet)
        report_text_policy_result(text, &policy, &problems, is_usable);
    return !is_usable ? EXIT_USAGE : worst_problem(&problems) == LEVEL_ERROR ? EXIT_FINDINGS : EXIT_CLEAN;
}

enum exit_code run_policy(const struct cli_options *options, const struct report_style *style,
                          struct text *text)
{
    return options->policy_task == POLICY_INIT ? run_init(options, text) : run_check(options, style, text);
}
