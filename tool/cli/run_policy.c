/* run_policy.c - run_policy.h.
 * Takes: parsed options.  Gives: policies and texts.  Must not: know keys of policies. */
#include "cli/run_policy.h"

#include "cli/console.h"
#include "io/file.h"
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

/* Does enforce only look, and stop nothing? What the command line says beats the file. */
static bool is_audit(const struct cli_options *options, const struct policy *policy)
{
    return options->verb == VERB_ENFORCE && (options->has_mode ? options->mode : policy->mode) == MODE_AUDIT;
}

/* Reads the policy at `path`, and says what is wrong with it. */
static enum exit_code read_policy(const struct cli_options *options, const char *path,
                                  const struct report_style *style, struct text *text, struct policy *policy,
                                  struct policy_problem_list *problems)
{
    enum finding_level worst = LEVEL_OFF;
    bool is_usable = policy_read(path, today(), text->arena, policy, problems);
    for (size_t i = 0; i < problems->count; i++) {
        if (is_usable && is_audit(options, policy) && problems->items[i].level == LEVEL_ERROR)
            problems->items[i].level = LEVEL_WARNING;
        report_text_policy_problem(text, &problems->items[i], style);
        if (problems->items[i].level > worst)
            worst = problems->items[i].level;
    }
    return !is_usable ? EXIT_USAGE : worst == LEVEL_ERROR ? EXIT_FINDINGS : EXIT_CLEAN;
}

/* For who asks whether something has to be judged again: the policy is more than its first file. */
static bool write_policy_files(const struct cli_options *options, struct arena *arena,
                               const struct policy *policy)
{
    struct text names = {.arena = arena};
    struct finding error;
    for (size_t i = 0; i < policy->file_count; i++) {
        text_addz(&names, policy->files[i]);
        text_addz(&names, "\n");
    }
    struct file_replacement replacement = {.path = options->policy_files_path,
                                           .bytes = {(const uint8_t *)names.chars, names.nbytes},
                                           .mode = 0644};
    if (!arena->exhausted && file_replace(&replacement, arena, &error) == FILE_WRITTEN)
        return true;
    console_complain("%s : error HVCI9007: The list of policy files could not be written.\n",
                     options->policy_files_path);
    return false;
}

bool policy_is_usable(const struct cli_options *options, struct arena *arena)
{
    struct policy policy;
    struct policy_problem_list problems;
    return !options->policy_path || policy_read(options->policy_path, today(), arena, &policy, &problems);
}

bool policy_load(const struct cli_options *options, const struct report_style *style, struct arena *arena,
                 struct policy *policy, enum exit_code *exit_code)
{
    struct policy_problem_list problems;
    struct text text = {.arena = arena};
    *exit_code = read_policy(options, options->policy_path, style, &text, policy, &problems);
    if (arena->exhausted) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the policy.\n");
        *exit_code = EXIT_INPUT;
        return false;
    }
    if (text.nbytes != 0)
        console_complain("%s", text.chars);
    if (*exit_code == EXIT_USAGE)
        return false;
    /* What the command line says beats the file. */
    if (options->has_mode)
        policy->mode = options->mode;
    policy->warnings_are_errors = options->warnings_as_errors;
    if (options->has_target)
        policy->target = options->target;
    else if (!policy->target_origin.file)
        policy->target = options->default_target;
    if (options->policy_files_path && !write_policy_files(options, arena, policy)) {
        *exit_code = EXIT_WRITE;
        return false;
    }
    return true;
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
    enum exit_code exit_code = read_policy(options, options->paths[0], style, text, &policy, &problems);
    if (!style->quiet)
        report_text_policy_result(text, &policy, &problems, exit_code != EXIT_USAGE);
    return exit_code;
}

enum exit_code run_policy(const struct cli_options *options, const struct report_style *style,
                          struct text *text)
{
    return options->policy_task == POLICY_INIT ? run_init(options, text) : run_check(options, style, text);
}
