/* option_values.c - what each option and its value mean.
 * Takes: a row of the table and a word.  Gives: fields of struct cli_options.  Must not: print or exit, or
 * know in which order options stand. */
#include "cli/option_parser.h"

#include "cli/console.h"
#include "package/inf.h"
#include "translate/address_words.h"

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

static bool add_only(struct option_parser *parser, const char *word)
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

static bool set_pdb_wish(struct option_parser *parser, enum pdb_wish wish)
{
    if (parser->options->pdb_wish != PDB_BESIDE && parser->options->pdb_wish != wish)
        return option_fail(parser, "%s", "--pdb, --no-pdb and --keep-pdb-id exclude each other.");
    parser->options->pdb_wish = wish;
    return true;
}

static bool parse_format(struct option_parser *parser, const char *word)
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

static bool parse_color(struct option_parser *parser, const char *word)
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

static bool parse_on_fail(struct option_parser *parser, const char *word)
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

static bool parse_mode(struct option_parser *parser, const char *word)
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

static bool parse_jobs(struct option_parser *parser, const char *word)
{
    unsigned jobs = 0;
    for (const char *at = word; *at >= '0' && *at <= '9' && jobs <= CLI_MOST_JOBS; at++)
        jobs = jobs * 10 + (unsigned)(*at - '0');
    if (jobs < 1 || jobs > CLI_MOST_JOBS || word[strspn(word, "0123456789")] != 0)
        return option_fail(parser, "\"%s\" is no number of jobs: 1 to 256.", word);
    parser->options->jobs = jobs;
    return true;
}

bool option_take_path(struct option_parser *parser, const char *argument, const char **path)
{
    enum verb verb = parser->options->verb;
    bool is_word = verb == VERB_EXPLAIN || verb == VERB_LINK || verb == VERB_HELP ||
                   (verb == VERB_TRANSLATE && path != &parser->options->paths[0]);
    *path = is_word ? argument : console_path(argument, parser->arena);
    return *path || option_fail(parser, "There was not enough memory for the path \"%s\".", argument);
}

/* The same for a file to write. Other programs take - for standard output; here it would make a file of that
 * name. */
static bool take_new_path(struct option_parser *parser, const char *name, const char *argument,
                          const char **path)
{
    if (strcmp(argument, "-") == 0)
        return option_fail(parser, "%s takes the name of a file; - is none (./- would be).", name);
    return option_take_path(parser, argument, path);
}

/* A policy is a file, or a preset by its name. */
static bool take_policy(struct option_parser *parser, const char *argument)
{
    if (strncmp(argument, POLICY_PRESET_PREFIX, strlen(POLICY_PRESET_PREFIX)) != 0)
        return option_take_path(parser, argument, &parser->options->policy_path);
    parser->options->policy_path = argument;
    return true;
}

static bool parse_target(struct option_parser *parser, const char *word, enum windows_target *target)
{
    if (target_parse(word, target))
        return true;
    parser->message = arena_printf(parser->arena, "\"%s\" is no Windows release that is known here: %s.",
                                   word, target_words());
    return false;
}

static bool add_report(struct option_parser *parser, const char *name, const char *argument)
{
    struct cli_options *options = parser->options;
    struct report_wish wish = {.path = NULL};
    if (!take_new_path(parser, name, argument, &wish.path))
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

static bool parse_anchor(struct option_parser *parser, const char *word)
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

static bool parse_signer(struct option_parser *parser, const char *command)
{
    const char *message = NULL;
    struct signer *signer = arena_alloc(parser->arena, sizeof *signer);
    if (signer && signer_parse(command, parser->arena, signer, &message)) {
        parser->options->signer = signer;
        return true;
    }
    return option_fail(parser, message ? message : "There was not enough memory for %s.", command);
}

static bool parse_driver_ver(struct option_parser *parser, const char *word)
{
    parser->options->driver_ver = word;
    return inf_is_driver_ver(word) ||
           option_fail(parser,
                       "\"%s\" is no MM/DD/YYYY,VERSION for --driver-ver, such as 06/21/2024,1.2.0.0.", word);
}

bool option_apply(struct option_parser *parser, const struct option_row *row, const char *value)
{
    struct cli_options *options = parser->options;
    switch (row->id) {
    case OPTION_TARGET:
        options->has_target = true;
        return parse_target(parser, value, &options->target);
    case OPTION_DEFAULT_TARGET:
        return parse_target(parser, value, &options->default_target);
    case OPTION_POLICY:
        return take_policy(parser, value);
    case OPTION_MODE:
        return parse_mode(parser, value);
    case OPTION_WARNINGS_AS_ERRORS:
        options->warnings_as_errors = true;
        return true;
    case OPTION_POLICY_FILES:
        return take_new_path(parser, row->name, value, &options->policy_files_path);
    case OPTION_PRESET:
        options->preset = value;
        return true;
    case OPTION_ON_FAIL:
        return parse_on_fail(parser, value);
    case OPTION_FORMAT:
        return parse_format(parser, value);
    case OPTION_OUTPUT:
        return take_new_path(parser, row->name, value, &options->report_path);
    case OPTION_REPORT:
        return add_report(parser, row->name, value);
    case OPTION_SARIF_PROFILE:
        options->has_sarif_profile = true;
        return report_profile_named(value, &options->report_settings.sarif_profile) ||
               option_fail(parser, "\"%s\" is no profile of SARIF: spec or github.", value);
    case OPTION_SARIF_ANCHOR:
        return parse_anchor(parser, value);
    case OPTION_SARIF_CATEGORY:
        options->report_settings.category = value;
        return true;
    case OPTION_SARIF_PASSES:
        options->report_settings.with_passes = true;
        return true;
    case OPTION_BASELINE:
        return option_take_path(parser, value, &options->baseline_path);
    case OPTION_NULL:
        options->null_separated = true;
        return true;
    case OPTION_QUIET:
        options->quiet = true;
        return true;
    case OPTION_COLOR:
        return parse_color(parser, value);
    case OPTION_NO_CODE:
        options->no_code = true;
        return true;
    case OPTION_ALL_RULES:
        options->all_rules = true;
        return true;
    case OPTION_OUT:
        return take_new_path(parser, row->name, value, &options->output_path);
    case OPTION_IN_PLACE:
        options->in_place = true;
        return true;
    case OPTION_NO_UNDO:
        options->no_undo = true;
        return true;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return true;
    case OPTION_MAP:
        options->map_path = value;
        return true;
    case OPTION_LINKER_MAP:
        return take_new_path(parser, row->name, value, &options->linker_map_path);
    case OPTION_TO_OLD:
        options->to_new = false;
        return true;
    case OPTION_TO_NEW:
        options->to_new = true;
        return true;
    case OPTION_MODULE:
        options->module = value;
        return *value || option_fail(parser, "%s needs a name.", row->name);
    case OPTION_BASE:
        options->has_base = true;
        return address_parse(value, &options->base_va) ||
               option_fail(parser, "\"%s\" is no address: hexadecimal digits, 0x may stand in front.", value);
    case OPTION_DROP_SIGNATURE:
        options->drop_signature = true;
        return true;
    case OPTION_PDB:
        options->pdb_path = value;
        return set_pdb_wish(parser, PDB_NAMED);
    case OPTION_NO_PDB:
        return set_pdb_wish(parser, PDB_NONE);
    case OPTION_KEEP_PDB_ID:
        return set_pdb_wish(parser, PDB_KEEP_ID);
    case OPTION_NEW_PDB_ID:
        options->new_pdb_id = true;
        return true;
    case OPTION_SIGN_WITH:
        return parse_signer(parser, value);
    case OPTION_PARTIAL:
        options->partial = true;
        return true;
    case OPTION_EXTRACT:
        options->extract = true;
        return true;
    case OPTION_DRIVER_VER:
        return parse_driver_ver(parser, value);
    case OPTION_NX:
        options->nx = true;
        return true;
    case OPTION_ONLY:
        return add_only(parser, value);
    case OPTION_REFERENCES:
        options->show = SHOW_REFERENCES;
        return true;
    case OPTION_REGIONS:
        options->show = SHOW_REGIONS;
        return true;
    case OPTION_CALLS:
        options->show = SHOW_CALLS;
        return true;
    case OPTION_SYMBOLS:
        return option_take_path(parser, value, &options->symbols_path);
    case OPTION_AFTER:
        return option_take_path(parser, value, &options->after_path);
    case OPTION_JOBS:
        return parse_jobs(parser, value);
    case OPTION_HELP:
        options->help = true;
        return true;
    case OPTION_VERSION:
        options->version = true;
        return true;
    }
    return true;
}
