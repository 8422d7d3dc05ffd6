/* option_apply.c - which field of the options each option sets.
 * Takes: a row of the table and the word behind it.  Gives: that field of struct cli_options.  Must not:
 * print or exit, or know in which order options stand; what words mean is told in option_values.c. */
#include "cli/option_values.h"

#include "cli/console.h"
#include "translate/address_words.h"

static uint64_t option_bit(enum option_id id)
{
    _Static_assert(OPTION_VERSION < 64, "each option has a bit");
    return (uint64_t)1 << id;
}

bool option_take_path(struct option_parser *parser, const char *argument, const char **path)
{
    enum verb verb = parser->options->verb;
    bool is_word = verb == VERB_EXPLAIN || verb == VERB_LINK || verb == VERB_HELP ||
                   (verb == VERB_TRANSLATE && path != &parser->options->paths[0]);
    /* What "$IMAGE" of a script becomes when nobody has set it. */
    if (!is_word && !*argument)
        return option_fail(parser, "%s", "The name of a file is empty; is a variable not set?");
    *path = is_word ? argument : console_path(argument, parser->arena);
    return *path || option_fail(parser, "There was not enough memory for the path \"%s\".", argument);
}

bool option_take_new_path(struct option_parser *parser, const char *name, const char *argument,
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

static bool set_pdb_wish(struct option_parser *parser, enum pdb_wish wish)
{
    if (parser->options->pdb_wish != PDB_BESIDE && parser->options->pdb_wish != wish)
        return option_fail(parser, "%s", "--pdb, --no-pdb and --keep-pdb-id exclude each other.");
    parser->options->pdb_wish = wish;
    return true;
}

static bool set_show(struct option_parser *parser, enum show_what what)
{
    if (parser->options->show != SHOW_PAGES && parser->options->show != what)
        return option_fail(parser, "%s", "--references, --regions and --calls exclude each other.");
    parser->options->show = what;
    return true;
}

static bool set_direction(struct option_parser *parser, enum option_id id)
{
    uint64_t other = option_bit(id == OPTION_TO_OLD ? OPTION_TO_NEW : OPTION_TO_OLD);
    if (parser->given & other)
        return option_fail(parser, "%s", "--to-old and --to-new exclude each other.");
    parser->options->to_new = id == OPTION_TO_NEW;
    return true;
}

/* What an option sets that is there or not; NULL when that is not all it says. */
static bool *switch_of(struct cli_options *options, enum option_id id)
{
    switch (id) {
    case OPTION_WARNINGS_AS_ERRORS:
        return &options->warnings_as_errors;
    case OPTION_SARIF_PASSES:
        return &options->report_settings.with_passes;
    case OPTION_NULL:
        return &options->null_separated;
    case OPTION_QUIET:
        return &options->quiet;
    case OPTION_NO_CODE:
        return &options->no_code;
    case OPTION_ALL_RULES:
        return &options->all_rules;
    case OPTION_IN_PLACE:
        return &options->in_place;
    case OPTION_NO_UNDO:
        return &options->no_undo;
    case OPTION_DRY_RUN:
        return &options->dry_run;
    case OPTION_DROP_SIGNATURE:
        return &options->drop_signature;
    case OPTION_NEW_PDB_ID:
        return &options->new_pdb_id;
    case OPTION_PARTIAL:
        return &options->partial;
    case OPTION_EXTRACT:
        return &options->extract;
    case OPTION_NX:
        return &options->nx;
    case OPTION_HELP:
        return &options->help;
    case OPTION_VERSION:
        return &options->version;
    default:
        return NULL;
    }
}

/* The path of a file that the run writes; NULL: the option names none. */
static const char **path_to_write(struct cli_options *options, enum option_id id)
{
    switch (id) {
    case OPTION_OUT:
        return &options->output_path;
    case OPTION_OUTPUT:
        return &options->report_path;
    case OPTION_MAP:
        return &options->map_path;
    case OPTION_LINKER_MAP:
        return &options->linker_map_path;
    case OPTION_POLICY_FILES:
        return &options->policy_files_path;
    default:
        return NULL;
    }
}

/* The same for one that the run reads. */
static const char **path_to_read(struct cli_options *options, enum option_id id)
{
    switch (id) {
    case OPTION_BASELINE:
        return &options->baseline_path;
    case OPTION_SYMBOLS:
        return &options->symbols_path;
    case OPTION_AFTER:
        return &options->after_path;
    default:
        return NULL;
    }
}

/* What a word says that is no path, or an option without one that is more than there or not. */
static bool apply_word(struct option_parser *parser, const struct option_row *row, const char *value)
{
    struct cli_options *options = parser->options;
    switch (row->id) {
    case OPTION_TARGET:
        options->has_target = true;
        return option_parse_target(parser, value, &options->target);
    case OPTION_DEFAULT_TARGET:
        return option_parse_target(parser, value, &options->default_target);
    case OPTION_POLICY:
        return take_policy(parser, value);
    case OPTION_MODE:
        return option_parse_mode(parser, value);
    case OPTION_PRESET:
        options->preset = value;
        return true;
    case OPTION_ON_FAIL:
        return option_parse_on_fail(parser, value);
    case OPTION_FORMAT:
        return option_parse_format(parser, value);
    case OPTION_REPORT:
        return option_add_report(parser, row->name, value);
    case OPTION_SARIF_PROFILE:
        options->has_sarif_profile = true;
        return report_profile_named(value, &options->report_settings.sarif_profile) ||
               option_fail(parser, "\"%s\" is no profile of SARIF: spec or github.", value);
    case OPTION_SARIF_ANCHOR:
        return option_parse_anchor(parser, value);
    case OPTION_SARIF_CATEGORY:
        options->report_settings.category = value;
        return true;
    case OPTION_COLOR:
        return option_parse_color(parser, value);
    case OPTION_TO_OLD:
    case OPTION_TO_NEW:
        return set_direction(parser, row->id);
    case OPTION_MODULE:
        options->module = value;
        return *value || option_fail(parser, "%s needs a name.", row->name);
    case OPTION_BASE:
        options->has_base = true;
        return address_parse(value, &options->base_va) ||
               option_fail(parser, "\"%s\" is no address: hexadecimal digits, 0x may stand in front.", value);
    case OPTION_PDB:
        return option_take_path(parser, value, &options->pdb_path) && set_pdb_wish(parser, PDB_NAMED);
    case OPTION_NO_PDB:
        return set_pdb_wish(parser, PDB_NONE);
    case OPTION_KEEP_PDB_ID:
        return set_pdb_wish(parser, PDB_KEEP_ID);
    case OPTION_SIGN_WITH:
        return option_parse_signer(parser, value);
    case OPTION_DRIVER_VER:
        return option_parse_driver_ver(parser, value);
    case OPTION_ONLY:
        return option_add_only(parser, value);
    case OPTION_REFERENCES:
        return set_show(parser, SHOW_REFERENCES);
    case OPTION_REGIONS:
        return set_show(parser, SHOW_REGIONS);
    case OPTION_CALLS:
        return set_show(parser, SHOW_CALLS);
    case OPTION_JOBS:
        return option_parse_jobs(parser, value);
    default:
        return option_fail(parser, "%s is in the table, but nothing says what it does.", row->name);
    }
}

/* Of two policies, baselines or outputs one would be forgotten in silence. Words may be said anew: who adds
 * options to those of a build overrides them so. */
static bool may_repeat(const struct option_row *row)
{
    return !row->value_name || row->values || row->id == OPTION_REPORT;
}

bool option_apply(struct option_parser *parser, const struct option_row *row, const char *value)
{
    bool is_repeated = parser->given & option_bit(row->id);
    bool *is_on = switch_of(parser->options, row->id);
    const char **written = path_to_write(parser->options, row->id);
    const char **read = path_to_read(parser->options, row->id);
    parser->given |= option_bit(row->id);
    if (is_repeated && !may_repeat(row))
        return option_fail(parser, "%s stands twice, and only one could hold.", row->name);
    if (is_on) {
        *is_on = true;
        return true;
    }
    if (written)
        return option_take_new_path(parser, row->name, value, written);
    if (read)
        return option_take_path(parser, value, read);
    return apply_word(parser, row, value);
}
