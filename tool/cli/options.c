/* options.c - parsing the command line by the tables.
 * Takes: argv.  Gives: struct cli_options.  Must not: print or exit. */
#include "cli/option_parser.h"

bool option_fail(struct option_parser *parser, const char *format, const char *what)
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

/* The row for "--name", "--name=value", "-n" or "-nvalue"; *value is what follows, or NULL. */
enum { SHORT_NAME_NBYTES = 2 };
static const struct option_row *find_option(const char *argument, const char **value)
{
    const char *equals = strchr(argument, '=');
    size_t name_nbytes = equals ? (size_t)(equals - argument) : strlen(argument);
    *value = equals ? equals + 1 : NULL;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (strlen(row->name) == name_nbytes && strncmp(row->name, argument, name_nbytes) == 0)
            return row;
        if (!row->short_name || strncmp(row->short_name, argument, SHORT_NAME_NBYTES) != 0)
            continue;
        const char *rest = argument + SHORT_NAME_NBYTES;
        if (*rest != 0 && (*rest == '=' || !row->value_name))
            continue;
        *value = *rest != 0 ? rest : NULL;
        return row;
    }
    return NULL;
}

/* The first word of `policy` is what to do. */
static bool take_policy_task(struct option_parser *parser, const char *word)
{
    static const char *const words[] = {[POLICY_INIT] = "init", [POLICY_CHECK] = "check"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0) {
            parser->options->policy_task = (enum policy_task)i;
            return true;
        }
    return option_fail(parser, "policy needs to know what to do: init or check, not \"%s\".", word);
}

/* The same behind options. */
static bool take_late_policy_task(struct option_parser *parser)
{
    struct cli_options *options = parser->options;
    if (options->path_count == 0)
        return option_fail(parser, "%s needs to know what to do: init or check.", "policy");
    options->path_count--;
    return take_policy_task(parser, *options->paths++);
}

static bool parse_arguments(struct option_parser *parser, int argc, char **argv, int first)
{
    struct cli_options *options = parser->options;
    bool only_paths = false;
    for (int i = first; i < argc; i++) {
        const char *argument = argv[i];
        if (options->verb == VERB_LINK && !only_paths && argument[0] != '-')
            return option_fail(parser, "%s needs -- in front of the linker.", "link");
        if (only_paths || argument[0] != '-' || argument[1] == 0) {
            /* Before --, a lone - is a list of paths (path_input.h). */
            if (only_paths && strcmp(argument, "-") == 0 && options->verb != VERB_LINK)
                argument = "./-";
            if (!option_take_path(parser, argument, &options->paths[options->path_count++]))
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
            return option_fail(parser, "\"%s\" is no option.", argument);
        if (!(row->verbs & VERB_BIT(options->verb))) {
            parser->message = arena_printf(parser->arena, "%s is no option of %s.", row->name,
                                           verb_rows[options->verb].name);
            return false;
        }
        if (!row->value_name && value)
            return option_fail(parser, "%s takes no value.", row->name);
        if (row->value_name && !value) {
            if (i + 1 >= argc)
                return option_fail(parser, "%s needs a value.", row->name);
            value = argv[++i];
        }
        if (!option_apply(parser, row, value ? value : ""))
            return false;
    }
    return true;
}

/* "check, fix, ... or enforce". */
static const char *verb_list(struct arena *arena)
{
    struct text text = {.arena = arena};
    for (size_t i = 0; i < VERB_COUNT; i++)
        text_printf(&text, "%s%s", i == 0 ? "" : i + 1 < VERB_COUNT ? ", " : " or ", verb_rows[i].name);
    return text.chars ? text.chars : "";
}

bool options_parse(int argc, char **argv, struct arena *arena, struct cli_options *options, bool *verb_given,
                   const char **message)
{
    *options =
        (struct cli_options){.target = TARGET_DEFAULT, .default_target = TARGET_DEFAULT, .show = SHOW_PAGES};
    struct option_parser parser = {arena, options, "", 0};
    bool done = false;
    *verb_given = false;
    options->paths = arena_array(arena, (size_t)argc + 1, sizeof *options->paths);
    const struct verb_row *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (!options->paths) {
        option_fail(&parser, "There was not enough memory for the command line%s.", "");
    } else if (argc <= 1) {
        option_fail(&parser, "A verb is missing: %s.", verb_list(arena));
    } else if (verb) {
        *verb_given = true;
        options->verb = verb->verb;
        bool has_task = verb->verb == VERB_POLICY && argc > 2 && argv[2][0] != '-';
        done = !has_task || take_policy_task(&parser, argv[2]);
        done = done && parse_arguments(&parser, argc, argv, has_task ? 3 : 2);
        if (verb->verb == VERB_POLICY && !has_task && !options->help && !options->version)
            done = done && take_late_policy_task(&parser);
        done = done && options_check(&parser);
    } else if (argv[1][0] == '-') {
        options->verb = VERB_RULES; /* takes --help and --version like every verb */
        done = parse_arguments(&parser, argc, argv, 1) &&
               (options->help || options->version || option_fail(&parser, "%s", "A verb must come first."));
    } else {
        parser.message = arena_printf(arena, "\"%s\" is no verb: %s.", argv[1], verb_list(arena));
    }
    *message = parser.message;
    return done;
}
