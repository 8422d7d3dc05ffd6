/* options_check.c - what a verb needs beyond well-formed options.
 * Takes: parsed options.  Gives: nothing, or a message.  Must not: print or exit, or look at files.
 * The order of the questions is that of the messages: of several faults the first is told. */
#include "cli/option_parser.h"

/* Reports whose path says no format get that of --format, wherever it stands. */
static bool check_reports(struct option_parser *parser)
{
    struct cli_options *options = parser->options;
    for (size_t i = 0; i < options->report_count; i++) {
        struct report_wish *wish = &options->reports[i];
        if (wish->format != REPORT_FORMAT_COUNT)
            continue;
        if (!options->has_format)
            return option_fail(
                parser, "The name \"%s\" says no format (" REPORT_SUFFIXES "); --format would.", wish->path);
        wish->format = (enum report_format)options->format;
    }
    if (options->has_sarif_anchor && options->has_sarif_profile &&
        options->report_settings.sarif_profile == SARIF_SPEC)
        return option_fail(parser, "--sarif-anchor is for %s.", "--sarif-profile github");
    return true;
}

static bool has_policy(struct option_parser *parser, const char *name)
{
    return parser->options->policy_path || parser->options->has_mode ||
           option_fail(parser, "%s needs a policy: --policy FILE, or --mode MODE without one.", name);
}

static bool check_show(struct option_parser *parser, const char *name)
{
    const struct cli_options *options = parser->options;
    if (options->path_count == 0)
        return option_fail(parser, "%s needs at least one image.", name);
    if (options->after_path &&
        (options->path_count != 1 || options->format != FORMAT_TEXT || options->show != SHOW_PAGES))
        return option_fail(parser, "%s --after draws the pages of one image as text.", name);
    if (options->verb == VERB_SHOW && options->symbols_path && options->show != SHOW_CALLS)
        return option_fail(parser, "%s --symbols is for --calls.", name);
    return true;
}

/* What is written for one image is asked for one image only. */
static bool check_fix_of_one(struct option_parser *parser, const char *name)
{
    const struct cli_options *options = parser->options;
    if (options->pdb_path && options->path_count != 1)
        return option_fail(parser, "%s takes one image with --pdb FILE.", name);
    if (options->map_path && options->path_count != 1)
        return option_fail(parser, "%s takes one image with --map FILE.", name);
    if (options->linker_map_path && options->path_count != 1)
        return option_fail(parser, "%s takes one image with --linker-map FILE.", name);
    if (options->map_path && options->linker_map_path &&
        strcmp(options->map_path, options->linker_map_path) == 0)
        return option_fail(parser, "--map and --linker-map name one file: \"%s\".", options->map_path);
    if (options->output_path && options->path_count != 1)
        return option_fail(parser, "%s takes one image with -o OUT; use --in-place for several.", name);
    return true;
}

static bool check_fix(struct option_parser *parser, const char *name)
{
    const struct cli_options *options = parser->options;
    if (options->path_count == 0)
        return option_fail(parser, "%s needs an image.", name);
    if (!options->output_path && !options->in_place && !options->dry_run)
        return option_fail(parser, "%s needs to know where to write: -o OUT, --in-place, or --dry-run.",
                           name);
    if (options->output_path && options->in_place)
        return option_fail(parser, "%s takes -o OUT or --in-place, not both.", name);
    if (options->extract && !options->output_path)
        return option_fail(parser, "%s --extract needs a folder to write to: -o OUT.", name);
    if (options->no_undo && !options->in_place)
        return option_fail(parser, "%s leaves an undo file only with --in-place.", name);
    return check_fix_of_one(parser, name);
}

static bool check_restore(struct option_parser *parser, const char *name)
{
    const struct cli_options *options = parser->options;
    if (options->path_count == 0)
        return option_fail(parser, "%s needs at least one image.", name);
    if (options->output_path && options->path_count != 1)
        return option_fail(parser, "%s takes one image with -o OUT.", name);
    return true;
}

static bool check_policy(struct option_parser *parser, const char *name)
{
    const struct cli_options *options = parser->options;
    if (options->policy_task == POLICY_INIT && options->path_count != 0)
        return option_fail(parser, "%s init takes no arguments; --output FILE says where to write.", name);
    if (options->policy_task == POLICY_CHECK && options->path_count != 1)
        return option_fail(parser, "%s check takes one policy file.", name);
    if (options->policy_task == POLICY_CHECK && options->preset)
        return option_fail(parser, "--preset is for %s init.", name);
    return true;
}

bool options_check(struct option_parser *parser)
{
    const struct cli_options *options = parser->options;
    const char *name = verb_rows[options->verb].name;
    if (options->help || options->version)
        return true;
    if (!check_reports(parser))
        return false;
    switch (options->verb) {
    case VERB_CHECK:
    case VERB_SHOW:
        return check_show(parser, name);
    case VERB_ENFORCE:
        return options->path_count != 0 ? has_policy(parser, name)
                                        : option_fail(parser, "%s needs at least one image.", name);
    case VERB_LINK:
        return options->path_count != 0
                   ? has_policy(parser, name)
                   : option_fail(parser, "%s needs a linker and its arguments behind --.", name);
    case VERB_FIX:
        return check_fix(parser, name);
    case VERB_DOCTOR:
        return options->path_count == 1 ||
               option_fail(parser, "%s takes one driver, folder, archive or program.", name);
    case VERB_RESTORE:
        return check_restore(parser, name);
    case VERB_VERIFY:
        return options->path_count == 2 || option_fail(parser, "%s takes two images, OLD and NEW.", name);
    case VERB_EXPLAIN:
        return options->path_count == 1 || option_fail(parser, "%s takes one code, such as HVCI2005.", name);
    case VERB_POLICY:
        return check_policy(parser, name);
    case VERB_TRANSLATE:
        return options->path_count != 0 ||
               option_fail(parser, "%s needs the map that fix --map FILE has written.", name);
    case VERB_HELP:
        return options->path_count <= 1 || option_fail(parser, "%s takes one verb or topic.", name);
    case VERB_RULES:
    case VERB_COUNT:
        return options->path_count == 0 || option_fail(parser, "%s takes no arguments.", name);
    }
    return true;
}
