/* main.c - the program: arguments in, reports and an exit code out.
 * Takes: argv.  Gives: an exit code (docs/DESIGN.md, section 8).  Must not: decide anything about an image;
 * verbs.c runs the pipeline and the report. This folder is the only one that prints. */
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/link.h"
#include "cli/path_input.h"
#include "cli/report_files.h"
#include "cli/report_stream.h"
#include "cli/verbs.h"
#include "report/safe_text.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>

static bool wants_color(const struct cli_options *options)
{
    if (options->color != COLOR_AUTO)
        return options->color == COLOR_ALWAYS;
    const char *no_color = getenv("NO_COLOR");
    return !options->report_path && (!no_color || !*no_color) && console_shows_color();
}

/* Memory is not the user's mistake. */
static int out_of_memory(void)
{
    console_complain("hvcifix : error HVCI9008: There was not enough memory for the command line.\n");
    return EXIT_INPUT;
}

/* Usage errors go to standard error in the form that build tools recognise. They quote the command line. */
static int usage_error(struct arena *arena, const struct verb_row *verb, const char *message)
{
    struct text text = {.arena = arena};
    safe_add(&text, message);
    if (arena->exhausted)
        return out_of_memory();
    if (verb)
        console_complain("hvcifix : error HVCI9010: %s\nhvcifix %s --help lists its options.\n", text.chars,
                         verb->name);
    else
        console_complain("hvcifix : error HVCI9010: %s\nhvcifix --help lists the verbs.\n", text.chars);
    return EXIT_USAGE;
}

static int print(struct arena *arena, void (*write)(struct text *, const enum verb *), const enum verb *verb)
{
    struct text text = {.arena = arena};
    write(&text, verb);
    if (arena->exhausted)
        return out_of_memory();
    if (console_write(stdout, text.chars, text.nbytes) && fflush(stdout) == 0)
        return EXIT_CLEAN;
    console_complain("hvcifix : error HVCI9007: This text could not be written completely.\n");
    return EXIT_WRITE;
}

static void write_version(struct text *text, const enum verb *verb)
{
    (void)verb;
    text_addz(text, "hvcifix " HVCIFIX_VERSION "\n");
}

/* A report and an image that are both new can be seen to be one file only when one of them is there. */
static bool report_is_output(const struct cli_options *options)
{
    struct file_identity report, output;
    return options->report_path && options->output_path && file_identify(options->report_path, &report) &&
           file_identify(options->output_path, &output) && report.volume == output.volume &&
           report.number == output.number;
}

static int run(int argc, char **argv, struct arena *arena)
{
    struct cli_options options;
    bool verb_given;
    const char *message;
    if (!options_expand_response_files(&argc, &argv, arena, &message))
        return arena->exhausted ? out_of_memory() : usage_error(arena, NULL, message);
    bool is_parsed = options_parse(argc, argv, arena, &options, &verb_given, &message);
    const struct verb_row *verb = verb_given ? &verb_rows[options.verb] : NULL;
    if (!is_parsed)
        return arena->exhausted ? out_of_memory() : usage_error(arena, verb, message);
    if (options.version)
        return print(arena, write_version, NULL);
    if (options.help)
        return print(arena, options_help, verb_given ? &options.verb : NULL);
    if (!path_input_expand(&options, arena, &message))
        return arena->exhausted ? out_of_memory() : usage_error(arena, verb, message);

    int linker_exit_code;
    if (options.verb == VERB_LINK && !link_run(&options, arena, &linker_exit_code))
        return linker_exit_code;

    static const char hits_image[] = "--output names an image; the report would be written over it.";
    if (report_hits_image(&options, options.report_path))
        return usage_error(arena, verb, hits_image);
    if (options.report_path && options.policy_path && file_is_same(options.report_path, options.policy_path))
        return usage_error(arena, verb,
                           "--output names the policy file; the report would be written over it.");
    if (options.verb == VERB_POLICY && options.policy_task == POLICY_INIT && options.report_path &&
        !file_is_absent(options.report_path))
        return usage_error(arena, verb,
                           "policy init writes a new file, and there is one of this name already.");
    /* A filter leaves nothing half-written, and may wait for its input. */
    if (options.verb != VERB_TRANSLATE || options.report_path)
        interrupt_watch();
    struct report_stream report;
    if (!report_stream_open(&report, options.report_path)) {
        struct text path = {.arena = arena};
        safe_add_path(&path, options.report_path);
        if (arena->exhausted)
            return out_of_memory();
        console_complain("%s : error HVCI9007: The report file cannot be opened for writing.\n", path.chars);
        return EXIT_WRITE;
    }
    if (report_is_output(&options)) {
        report_stream_undo(&report);
        return usage_error(arena, verb, hits_image);
    }
    struct report_style style = {.color = wants_color(&options), .quiet = options.quiet};
    enum exit_code exit_code = verb_run(&options, &style, report.stream);
    if (atomic_load(interrupt_flag())) {
        report_stream_undo(&report); /* a report on half of the images must not be taken for one on all */
        console_complain("hvcifix : interrupted; no file is left half-written.\n");
        return (int)exit_code;
    }
    /* A report that did not reach its reader must not look like success. */
    if (!report_stream_close(&report)) {
        console_complain("hvcifix : error HVCI9007: The report could not be written completely.\n");
        exit_code = exit_code_worse(exit_code, EXIT_WRITE);
    }
    return (int)exit_code;
}

int cli_main(int argc, char **argv)
{
    struct arena arena;
    arena_init(&arena, NULL);
    int exit_code = run(argc, argv, &arena);
    arena_free(&arena);
    return exit_code;
}
