/* options.c - parsing the command line by the tables.
 * Takes: argv.  Gives: struct cli_options.  Must not: print or exit. */
#include "cli/options.h"

#include "cli/console.h"

#include <stdlib.h>

struct parser {
    struct arena *arena;
    struct cli_options *options;
    const char *message;
};

static bool fail(struct parser *parser, const char *format, const char *what)
{
    parser->message = arena_printf(parser->arena, format, what);
    return false;
}

static const struct verb_row *find_verb(const char *word)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verb_rows[i].name, word) == 0)
            return &verb_rows[i];
    return NULL;
}

/* The row for "--name", "--name=value" or "-n"; *value is what follows '=', or NULL. */
static const struct option_row *find_option(const char *argument, const char **value)
{
    const char *equals = strchr(argument, '=');
    size_t name_nbytes = equals ? (size_t)(equals - argument) : strlen(argument);
    *value = equals ? equals + 1 : NULL;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (strlen(row->name) == name_nbytes && strncmp(row->name, argument, name_nbytes) == 0)
            return row;
        if (row->short_name && strcmp(row->short_name, argument) == 0)
            return row;
    }
    return NULL;
}

unsigned options_code(const char *word)
{
    if ((word[0] == 'H' || word[0] == 'h') && (word[1] == 'V' || word[1] == 'v') &&
        (word[2] == 'C' || word[2] == 'c') && (word[3] == 'I' || word[3] == 'i'))
        word += 4;
    char *end;
    unsigned long code = strtoul(word, &end, 10);
    return end != word && *end == 0 && code <= 9999 ? (unsigned)code : 0;
}

static bool add_only(struct parser *parser, const char *word)
{
    struct cli_options *options = parser->options;
    const struct rule *rule = rule_find(options_code(word));
    if (!rule)
        return fail(parser, "\"%s\" is no rule; \"hvcifix rules\" lists them.", word);
    for (size_t i = 0; i < options->only_count; i++)
        if (options->only[i] == rule->code)
            return true;
    enum finding_code *only = arena_array(parser->arena, options->only_count + 1, sizeof *only);
    if (!only)
        return fail(parser, "There was not enough memory for %s.", word);
    for (size_t i = 0; i < options->only_count; i++)
        only[i] = options->only[i];
    only[options->only_count++] = rule->code;
    options->only = only;
    return true;
}

static bool parse_format(struct parser *parser, const char *word)
{
    if (strcmp(word, "text") == 0)
        parser->options->format = FORMAT_TEXT;
    else if (strcmp(word, "json") == 0 && parser->options->verb != VERB_RULES)
        parser->options->format = FORMAT_JSON;
    else if (strcmp(word, "markdown") == 0 && parser->options->verb == VERB_RULES)
        parser->options->format = FORMAT_MARKDOWN;
    else
        return fail(parser,
                    parser->options->verb == VERB_RULES ? "\"%s\" is no format of rules: text or markdown."
                                                        : "\"%s\" is no format: text or json.",
                    word);
    return true;
}

static bool parse_color(struct parser *parser, const char *word)
{
    if (strcmp(word, "auto") == 0)
        parser->options->color = COLOR_AUTO;
    else if (strcmp(word, "always") == 0)
        parser->options->color = COLOR_ALWAYS;
    else if (strcmp(word, "never") == 0)
        parser->options->color = COLOR_NEVER;
    else
        return fail(parser, "\"%s\" is no choice for --color: auto, always or never.", word);
    return true;
}

static bool parse_on_fail(struct parser *parser, const char *word)
{
    static const char *const words[] = {
        [ON_FAIL_RENAME] = "rename", [ON_FAIL_DELETE] = "delete", [ON_FAIL_KEEP] = "keep"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0) {
            parser->options->on_fail = (enum on_fail)i;
            return true;
        }
    return fail(parser, "\"%s\" is no choice for --on-fail: rename, delete or keep.", word);
}

static bool parse_jobs(struct parser *parser, const char *word)
{
    unsigned jobs = 0;
    for (const char *at = word; *at >= '0' && *at <= '9' && jobs <= CLI_MOST_JOBS; at++)
        jobs = jobs * 10 + (unsigned)(*at - '0');
    if (jobs < 1 || jobs > CLI_MOST_JOBS || word[strspn(word, "0123456789")] != 0)
        return fail(parser, "\"%s\" is no number of jobs: 1 to 256.", word);
    parser->options->jobs = jobs;
    return true;
}

/* A file or folder that an argument names, or the code of `explain`. */
static bool take_path(struct parser *parser, const char *argument, const char **path)
{
    *path = parser->options->verb == VERB_EXPLAIN ? argument : console_path(argument, parser->arena);
    return *path || fail(parser, "There was not enough memory for the path \"%s\".", argument);
}

/* The same for a file to write. Other programs take - for standard output; here it would make a file of that
 * name. */
static bool take_new_path(struct parser *parser, const char *name, const char *argument, const char **path)
{
    if (strcmp(argument, "-") == 0)
        return fail(parser, "%s takes the name of a file; - is none (./- would be).", name);
    return take_path(parser, argument, path);
}

static bool apply_option(struct parser *parser, const struct option_row *row, const char *value)
{
    struct cli_options *options = parser->options;
    switch (row->id) {
    case OPTION_TARGET:
        if (!target_parse(value, &options->target)) {
            parser->message = arena_printf(
                parser->arena, "\"%s\" is no Windows release that is known here: %s.", value, target_words());
            return false;
        }
        options->has_target = true;
        return true;
    case OPTION_POLICY:
        return take_path(parser, value, &options->policy_path);
    case OPTION_PRESET:
        options->preset = value;
        return true;
    case OPTION_ON_FAIL:
        return parse_on_fail(parser, value);
    case OPTION_FORMAT:
        return parse_format(parser, value);
    case OPTION_OUTPUT:
        return take_new_path(parser, row->name, value, &options->report_path);
    case OPTION_QUIET:
        options->quiet = true;
        return true;
    case OPTION_COLOR:
        return parse_color(parser, value);
    case OPTION_NO_CODE:
        options->no_code = true;
        return true;
    case OPTION_OUT:
        return take_new_path(parser, row->name, value, &options->output_path);
    case OPTION_IN_PLACE:
        options->in_place = true;
        return true;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return true;
    case OPTION_MAP:
        options->map_path = value;
        return true;
    case OPTION_DROP_SIGNATURE:
        options->drop_signature = true;
        return true;
    case OPTION_ONLY:
        return add_only(parser, value);
    case OPTION_REFERENCES:
        options->show = SHOW_REFERENCES;
        return true;
    case OPTION_REGIONS:
        options->show = SHOW_REGIONS;
        return true;
    case OPTION_AFTER:
        return take_path(parser, value, &options->after_path);
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

/* What a verb needs beyond well-formed options. */
static bool check_whole(struct parser *parser)
{
    const struct cli_options *options = parser->options;
    const char *name = verb_rows[options->verb].name;
    if (options->help || options->version)
        return true;
    switch (options->verb) {
    case VERB_CHECK:
    case VERB_SHOW:
        if (options->path_count == 0)
            return fail(parser, "%s needs at least one image.", name);
        if (options->after_path &&
            (options->path_count != 1 || options->format != FORMAT_TEXT || options->show != SHOW_PAGES))
            return fail(parser, "%s --after draws the pages of one image as text.", name);
        return true;
    case VERB_ENFORCE:
        if (options->path_count == 0)
            return fail(parser, "%s needs at least one image.", name);
        if (!options->policy_path)
            return fail(parser, "%s needs a policy: --policy FILE.", name);
        return true;
    case VERB_FIX:
        if (options->path_count == 0)
            return fail(parser, "%s needs an image.", name);
        if (!options->output_path && !options->in_place && !options->dry_run)
            return fail(parser, "%s needs to know where to write: -o OUT, --in-place, or --dry-run.", name);
        if (options->output_path && options->in_place)
            return fail(parser, "%s takes -o OUT or --in-place, not both.", name);
        if (options->map_path && options->path_count != 1)
            return fail(parser, "%s takes one image with --map FILE.", name);
        if (options->output_path && options->path_count != 1)
            return fail(parser, "%s takes one image with -o OUT; use --in-place for several.", name);
        return true;
    case VERB_VERIFY:
        if (options->path_count != 2)
            return fail(parser, "%s takes two images, OLD and NEW.", name);
        return true;
    case VERB_EXPLAIN:
        if (options->path_count != 1)
            return fail(parser, "%s takes one code, such as HVCI2005.", name);
        return true;
    case VERB_POLICY:
        if (options->policy_task == POLICY_INIT && options->path_count != 0)
            return fail(parser, "%s init takes no arguments; --output FILE says where to write.", name);
        if (options->policy_task == POLICY_CHECK && options->path_count != 1)
            return fail(parser, "%s check takes one policy file.", name);
        if (options->policy_task == POLICY_CHECK && options->preset)
            return fail(parser, "--preset is for %s init.", name);
        return true;
    case VERB_RULES:
    case VERB_COUNT:
        if (options->path_count != 0)
            return fail(parser, "%s takes no arguments.", name);
        return true;
    }
    return true;
}

/* The first word of `policy` is what to do. */
static bool take_policy_task(struct parser *parser, const char *word)
{
    static const char *const words[] = {[POLICY_INIT] = "init", [POLICY_CHECK] = "check"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0) {
            parser->options->policy_task = (enum policy_task)i;
            return true;
        }
    return fail(parser, "policy needs to know what to do: init or check, not \"%s\".", word);
}

static bool parse_arguments(struct parser *parser, int argc, char **argv, int first)
{
    struct cli_options *options = parser->options;
    bool only_paths = false;
    for (int i = first; i < argc; i++) {
        const char *argument = argv[i];
        if (only_paths || argument[0] != '-' || argument[1] == 0) {
            if (!take_path(parser, argument, &options->paths[options->path_count++]))
                return false;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_paths = true;
            continue;
        }
        const char *value;
        const struct option_row *row = find_option(argument, &value);
        if (!row)
            return fail(parser, "\"%s\" is no option.", argument);
        if (!(row->verbs & VERB_BIT(options->verb))) {
            parser->message = arena_printf(parser->arena, "%s is no option of %s.", row->name,
                                           verb_rows[options->verb].name);
            return false;
        }
        if (!row->value_name && value)
            return fail(parser, "%s takes no value.", row->name);
        if (row->value_name && !value) {
            if (i + 1 >= argc)
                return fail(parser, "%s needs a value.", row->name);
            value = argv[++i];
        }
        if (!apply_option(parser, row, value ? value : ""))
            return false;
    }
    return true;
}

bool options_parse(int argc, char **argv, struct arena *arena, struct cli_options *options, bool *verb_given,
                   const char **message)
{
    *options = (struct cli_options){.target = TARGET_DEFAULT, .show = SHOW_PAGES};
    struct parser parser = {arena, options, ""};
    bool done = false;
    *verb_given = false;
    options->paths = arena_array(arena, (size_t)argc + 1, sizeof *options->paths);
    const struct verb_row *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (!options->paths) {
        fail(&parser, "There was not enough memory for the command line%s.", "");
    } else if (argc <= 1) {
        fail(&parser, "A verb is missing: %s.",
             "check, fix, verify, show, explain, rules, policy or enforce");
    } else if (verb) {
        *verb_given = true;
        options->verb = verb->verb;
        bool has_task = verb->verb == VERB_POLICY && argc > 2 && argv[2][0] != '-';
        done = !has_task || take_policy_task(&parser, argv[2]);
        done = done && parse_arguments(&parser, argc, argv, has_task ? 3 : 2);
        if (verb->verb == VERB_POLICY && !has_task && !options->help && !options->version)
            done = done && take_policy_task(&parser, "");
        done = done && check_whole(&parser);
    } else if (argv[1][0] == '-') {
        options->verb = VERB_RULES; /* takes --help and --version like every verb */
        done = parse_arguments(&parser, argc, argv, 1) &&
               (options->help || options->version || fail(&parser, "%s", "A verb must come first."));
    } else {
        fail(&parser, "\"%s\" is no verb: check, fix, verify, show, explain, rules, policy or enforce.",
             argv[1]);
    }
    *message = parser.message;
    return done;
}

void options_help(struct text *text, const enum verb *verb)
{
    if (!verb) {
        text_addz(text, "hvcifix makes Windows driver images compatible with memory integrity (HVCI), or "
                        "says why not.\n\n"
                        "Usage: hvcifix VERB [OPTION]... ARGUMENT...\n\n");
        for (size_t i = 0; i < VERB_COUNT; i++)
            text_printf(text, "  %-8s %-28s %s\n", verb_rows[i].name, verb_rows[i].arguments,
                        verb_rows[i].summary);
        text_addz(text,
                  "\nhvcifix VERB --help says more and gives an example. @FILE reads arguments from FILE.\n"
                  "Exit codes: 0 clean or fixed; 1 findings, a refusal, or a refuted pair; 2 usage; 3 "
                  "unreadable or\n"
                  "malformed input; 4 could not write; 6 a repair of ours that our verifier refuted.\n");
        return;
    }
    const struct verb_row *row = &verb_rows[*verb];
    text_printf(text, "Usage: hvcifix %s [OPTION]... %s\n\n%s\n\nOptions:\n", row->name, row->arguments,
                row->about);
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *option = &option_rows[i];
        if (!(option->verbs & VERB_BIT(*verb)))
            continue;
        size_t line_start = text->nbytes;
        text_printf(text, "  %s%s%s%s%s", option->short_name ? option->short_name : "",
                    option->short_name ? ", " : "", option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
        text_pad_to_column(text, line_start, 26);
        text_printf(text, " %s\n", option->help);
    }
    text_printf(text, "\nExample:\n  %s\n", row->example);
}
