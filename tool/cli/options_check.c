/* options_check.c - what a verb needs beyond well-formed options.
 * Takes: parsed options.  Gives: nothing, or a message.  Must not: print or exit, or look at files. */
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
        if (options->path_count == 0)
            return option_fail(parser, "%s needs at least one image.", name);
        if (options->after_path &&
            (options->path_count != 1 || options->format != FORMAT_TEXT || options->show != SHOW_PAGES))
            return option_fail(parser, "%s --after draws the pages of one image as text.", name);
        if (options->verb == VERB_SHOW && options->symbols_path && options->show != SHOW_CALLS)
            return option_fail(parser, "%s --symbols is for --calls.", name);
        return true;
    case VERB_ENFORCE:
        if (options->path_count == 0)
            return option_fail(parser, "%s needs at least one image.", name);
        if (!options->policy_path && !options->has_mode)
            return option_fail(parser, "%s needs a policy: --policy FILE, or --mode MODE without one.", name);
        return true;
    case VERB_LINK:
        if (options->path_count == 0)
            return option_fail(parser, "%s needs a linker and its arguments behind --.", name);
        if (!options->policy_path && !options->has_mode)
            return option_fail(parser, "%s needs a policy: --policy FILE, or --mode MODE without one.", name);
        return true;
    case VERB_FIX:
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
    case VERB_DOCTOR:
        if (options->path_count != 1)
            return option_fail(parser, "%s takes one driver, folder, archive or program.", name);
        return true;
    case VERB_RESTORE:
        if (options->path_count == 0)
            return option_fail(parser, "%s needs at least one image.", name);
        if (options->output_path && options->path_count != 1)
            return option_fail(parser, "%s takes one image with -o OUT.", name);
        return true;
    case VERB_VERIFY:
        if (options->path_count != 2)
            return option_fail(parser, "%s takes two images, OLD and NEW.", name);
        return true;
    case VERB_EXPLAIN:
        if (options->path_count != 1)
            return option_fail(parser, "%s takes one code, such as HVCI2005.", name);
        return true;
    case VERB_POLICY:
        if (options->policy_task == POLICY_INIT && options->path_count != 0)
            return option_fail(parser, "%s init takes no arguments; --output FILE says where to write.",
                               name);
        if (options->policy_task == POLICY_CHECK && options->path_count != 1)
            return option_fail(parser, "%s check takes one policy file.", name);
        if (options->policy_task == POLICY_CHECK && options->preset)
            return option_fail(parser, "--preset is for %s init.", name);
        return true;
    case VERB_TRANSLATE:
        if (options->path_count == 0)
            return option_fail(parser, "%s needs the map that fix --map FILE has written.", name);
        return true;
    case VERB_HELP:
        if (options->path_count > 1)
            return option_fail(parser, "%s takes one verb or topic.", name);
        return true;
    case VERB_RULES:
    case VERB_COUNT:
        if (options->path_count != 0)
            return option_fail(parser, "%s takes no arguments.", name);
        return true;
    }
    return true;
}
