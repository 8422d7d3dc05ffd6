/* run_restore.c - run_restore.h.
 * Takes: paths.  Gives: reports in their order, and the most serious exit code.  Must not: let one image stop
 * the others. */
#include "cli/run_restore.h"

#include "cli/console.h"
#include "cli/interrupt.h"
#include "report/report_undo.h"
#include "report/safe_text.h"

/* When there is no memory for a report. */
static enum exit_code complain_of_memory(void)
{
    console_complain(
        "hvcifix : error HVCI9008: There was not enough memory to restore, or to say all of it.\n");
    return EXIT_INPUT;
}

static enum exit_code restore_one(const struct cli_options *options, const struct restore_options *wanted,
                                  const struct report_style *style, FILE *stream, size_t number)
{
    struct restore_outcome outcome;
    restore_run(options->paths[number], wanted, &outcome);
    enum exit_code exit_code = outcome.exit_code;
    struct text text = {.arena = &outcome.arena};
    if (!outcome.was_stopped) {
        if (options->format == FORMAT_JSON)
            report_json_restore(&text, &outcome, wanted, number == 0);
        else
            report_text_restore(&text, &outcome, wanted, style);
        if (outcome.arena.exhausted)
            exit_code = exit_code_worse(exit_code, complain_of_memory());
        else if (text.nbytes != 0)
            console_write(stream, text.chars, text.nbytes); /* failures are seen by ferror() */
    }
    restore_release(&outcome);
    return exit_code;
}

static void put(FILE *stream, const struct text *text)
{
    console_write(stream, text->chars, text->nbytes);
}

enum exit_code run_restore(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    char room[128];
    struct arena none = {0};
    struct text text = {.arena = &none, .chars = room, .capacity = sizeof room};
    struct restore_options wanted = {
        .dry_run = options->dry_run, .output_path = options->output_path, .stop = interrupt_flag()};
    enum exit_code exit_code = EXIT_CLEAN;
    bool is_json = options->format == FORMAT_JSON;
    if (is_json) {
        report_json_restores_begin(&text);
        put(stream, &text);
    }
    for (size_t i = 0; i < options->path_count && !atomic_load(wanted.stop); i++)
        exit_code = exit_code_worse(exit_code, restore_one(options, &wanted, style, stream, i));
    if (is_json) {
        text.nbytes = 0;
        report_json_restores_end(&text, atomic_load(wanted.stop));
        put(stream, &text);
    }
    return exit_code;
}
