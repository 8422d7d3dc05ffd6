/* option_values.c - what the value of an option means.
 * Takes: the word that was typed.  Gives: fields of struct cli_options, or the message why it is no value for
 * the option.  Must not: print or exit, or know in which order options stand. */
#include "cli/option_values.h"

#include "package/inf.h"

#include <stdlib.h>

unsigned options_code(const char *word)
{
    if ((word[0] == 'H' || word[0] == 'h') && (word[1] == 'V' || word[1] == 'v') &&
        (word[2] == 'C' || word[2] == 'c') && (word[3] == 'I' || word[3] == 'i'))
        word += 4;
    char *end;
    unsigned long code = strtoul(word, &end, 10);
    return end != word && *end == 0 && code <= 9999 ? (unsigned)code : 0;
}

bool option_add_only(struct option_parser *parser, const char *word)
{
    struct cli_options *options = parser->options;
    const struct rule *rule = rule_find(options_code(word));
    if (!rule)
        return option_fail(parser, "\"%s\" is no rule; \"hvcifix rules\" lists them.", word);
    for (size_t i = 0; i < options->only_count; i++)
        if (options->only[i] == rule->code)
            return true;
    enum finding_code *only = arena_array(parser->arena, options->only_count + 1, sizeof *only);
    if (!only)
        return option_fail(parser, "There was not enough memory for %s.", word);
    for (size_t i = 0; i < options->only_count; i++)
        only[i] = options->only[i];
    only[options->only_count++] = rule->code;
    options->only = only;
    return true;
}

bool option_parse_format(struct option_parser *parser, const char *word)
{
    struct cli_options *options = parser->options;
    unsigned verb = VERB_BIT(options->verb);
    unsigned writes_files =
        VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_FIX) | VERB_BIT(VERB_ENFORCE) | VERB_BIT(VERB_LINK);
    enum report_format format = report_format_named(word);
    bool is_known = format == REPORT_TEXT || (format == REPORT_JSON && options->verb != VERB_RULES) ||
                    (format < REPORT_FORMAT_COUNT && (verb & writes_files));
    options->format = (enum output_format)format;
    if (options->verb == VERB_RULES && strcmp(word, "markdown") == 0)
        options->format = FORMAT_MARKDOWN;
    else if (!is_known)
        return option_fail(parser,
                           options->verb == VERB_RULES ? "\"%s\" is no format of rules: text or markdown."
                           : verb & writes_files       ? "\"%s\" is no format: text, json, sarif or html."
                                                       : "\"%s\" is no format: text or json.",
                           word);
    options->has_format = true;
    return true;
}

bool option_parse_color(struct option_parser *parser, const char *word)
{
    if (strcmp(word, "auto") == 0)
        parser->options->color = COLOR_AUTO;
    else if (strcmp(word, "always") == 0)
        parser->options->color = COLOR_ALWAYS;
    else if (strcmp(word, "never") == 0)
        parser->options->color = COLOR_NEVER;
    else
        return option_fail(parser, "\"%s\" is no choice for --color: auto, always or never.", word);
    return true;
}

bool option_parse_on_fail(struct option_parser *parser, const char *word)
{
    static const char *const words[] = {
        [ON_FAIL_RENAME] = "rename", [ON_FAIL_DELETE] = "delete", [ON_FAIL_KEEP] = "keep"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0) {
            parser->options->on_fail = (enum on_fail)i;
            return true;
        }
    return option_fail(parser, "\"%s\" is no choice for --on-fail: rename, delete or keep.", word);
}

bool option_parse_mode(struct option_parser *parser, const char *word)
{
    static const enum policy_mode modes[] = {MODE_AUDIT, MODE_FIX, MODE_REJECT};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(policy_mode_name(modes[i]), word) == 0) {
            parser->options->mode = modes[i];
            parser->options->has_mode = true;
            return true;
        }
    return option_fail(parser, "\"%s\" is no mode: audit, fix or reject.", word);
}

bool option_parse_jobs(struct option_parser *parser, const char *word)
{
    unsigned jobs = 0;
    for (const char *at = word; *at >= '0' && *at <= '9' && jobs <= CLI_MOST_JOBS; at++)
        jobs = jobs * 10 + (unsigned)(*at - '0');
    if (jobs < 1 || jobs > CLI_MOST_JOBS || word[strspn(word, "0123456789")] != 0)
        return option_fail(parser, "\"%s\" is no number of jobs: 1 to 256.", word);
    parser->options->jobs = jobs;
    return true;
}

bool option_parse_target(struct option_parser *parser, const char *word, enum windows_target *target)
{
    if (target_parse(word, target))
        return true;
    parser->message = arena_printf(parser->arena, "\"%s\" is no Windows release that is known here: %s.",
                                   word, target_words());
    return false;
}

bool option_add_report(struct option_parser *parser, const char *name, const char *argument)
{
    struct cli_options *options = parser->options;
    struct report_wish wish = {.path = NULL};
    if (!option_take_new_path(parser, name, argument, &wish.path))
        return false;
    wish.format = report_format_of_path(wish.path, &wish.is_gzip);
    if (options->report_count == REPORTS_MOST)
        return option_fail(parser, "There are too many reports with \"%s\": 16 is the most.", argument);
    struct report_wish *reports =
        arena_array(parser->arena, options->report_count + 1, sizeof *options->reports);
    if (!reports)
        return option_fail(parser, "There was not enough memory for %s.", argument);
    for (size_t i = 0; i < options->report_count; i++)
        reports[i] = options->reports[i];
    reports[options->report_count++] = wish;
    options->reports = reports;
    return true;
}

bool option_parse_anchor(struct option_parser *parser, const char *word)
{
    struct report_settings *settings = &parser->options->report_settings;
    size_t file_nbytes;
    if (!report_anchor_parse(word, &file_nbytes, &settings->anchor_line))
        return option_fail(
            parser, "\"%s\" is no anchor: FILE:LINE, the file relative to the root of the repository.", word);
    settings->anchor_file = arena_copy_text(parser->arena, word, file_nbytes);
    parser->options->has_sarif_anchor = true;
    return settings->anchor_file || option_fail(parser, "There was not enough memory for %s.", word);
}

bool option_parse_signer(struct option_parser *parser, const char *command)
{
    const char *message = NULL;
    struct signer *signer = arena_alloc(parser->arena, sizeof *signer);
    if (signer && signer_parse(command, parser->arena, signer, &message)) {
        parser->options->signer = signer;
        return true;
    }
    return option_fail(parser, message ? message : "There was not enough memory for %s.", command);
}

bool option_parse_driver_ver(struct option_parser *parser, const char *word)
{
    parser->options->driver_ver = word;
    return inf_is_driver_ver(word) ||
           option_fail(parser,
                       "\"%s\" is no MM/DD/YYYY,VERSION for --driver-ver, such as 06/21/2024,1.2.0.0.", word);
}
