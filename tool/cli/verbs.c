/* verbs.c - running the verbs over their arguments, one image after the other.
 * Takes: parsed options.  Gives: reports on the stream, and the most serious exit code.
 * Must not: let one bad image stop the others. */
#include "cli/verbs.h"

#include "io/path_list.h"
#include "rules/rules_markdown.h"

#include <stdlib.h>

struct run {
    const struct cli_options *options;
    const struct report_style *style;
    FILE *stream;
    struct pipeline_options pipeline;
    struct report_totals totals;
    enum exit_code exit_code;
    bool is_first;
    const struct outcome *after; /* show --after: the image that the other is compared with */
};

static void put(FILE *stream, const struct text *text)
{
    if (text->nbytes != 0)
        fwrite(text->chars, 1, text->nbytes, stream); /* failures are seen by ferror() at the end */
}

static void report_outcome(struct run *run, struct outcome *outcome)
{
    struct text text = {.arena = &outcome->arena};
    bool is_json = run->options->format == FORMAT_JSON;
    bool is_readable = outcome->has_image && outcome->judged;
    if (run->options->verb == VERB_SHOW && is_readable) {
        if (run->after)
            report_text_show_pair(&text, outcome, run->after, run->style);
        else if (is_json)
            report_json_show(&text, outcome, run->options->show, run->is_first);
        else
            report_text_show(&text, outcome, run->options->show, run->style);
    } else if (is_json) {
        report_json_image(&text, outcome, run->is_first);
    } else {
        if (run->options->dry_run && outcome->has_plan)
            report_text_plan(&text, outcome, run->style);
        report_text_image(&text, outcome, run->style);
    }
    run->is_first = false;
    put(run->stream, &text);
    report_count(&run->totals, outcome);
    run->exit_code = exit_code_worse(run->exit_code, outcome->exit_code);
    if (outcome->arena.exhausted)
        run->exit_code = exit_code_worse(run->exit_code, EXIT_INPUT);
}

/* Names under which linkers write images: such a file that is no image is worth a word. */
static bool is_named_like_image(const char *path)
{
    static const char *const suffixes[] = {".sys", ".dll", ".exe", ".efi"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (path_has_suffix(path, suffixes[i]))
            return true;
    return false;
}

/* A file met while walking a folder that does not begin like an image is not what was asked for. */
static bool is_passed_over(const struct outcome *outcome)
{
    if (is_named_like_image(outcome->path))
        return false;
    return outcome->problems.count == 1 && outcome->problems.items[0].code == HVCI9001_NOT_A_PE_IMAGE;
}

static void report_problem(struct run *run, const char *path, const struct finding *problem,
                           struct arena *arena)
{
    struct outcome outcome = {.path = path, .status = STATUS_ERROR, .exit_code = EXIT_INPUT};
    arena_init(&outcome.arena, &arena->allocator);
    outcome.problems.arena = outcome.findings.arena = outcome.remaining.arena = &outcome.arena;
    finding_add(&outcome.problems, problem);
    report_outcome(run, &outcome);
    pipeline_release(&outcome);
}

static void run_path(struct run *run, const char *path)
{
    struct arena arena;
    arena_init(&arena, run->pipeline.allocator);
    struct path_list list;
    struct finding error;
    if (!file_list(path, &arena, &list, &error)) {
        report_problem(run, path, &error, &arena);
        arena_free(&arena);
        return;
    }
    size_t image_count = 0;
    if (list.from_folder && run->options->output_path) {
        error = finding_make(&arena, HVCI9010_USAGE, LEVEL_ERROR,
                             "-o OUT takes one image, and this is a folder.");
        error.cure = "Use --in-place to repair every image of a folder.";
        report_problem(run, path, &error, &arena);
        run->exit_code = EXIT_USAGE;
        arena_free(&arena);
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct outcome *outcome = calloc(1, sizeof *outcome);
        if (!outcome) {
            run->exit_code = exit_code_worse(run->exit_code, EXIT_INPUT);
            break;
        }
        pipeline_run(list.paths[i], &run->pipeline, outcome);
        if (!list.from_folder || !is_passed_over(outcome)) {
            report_outcome(run, outcome);
            image_count++;
        }
        pipeline_release(outcome);
        free(outcome);
    }
    if (list.from_folder && image_count == 0) {
        error = finding_make(&arena, HVCI9001_NOT_A_PE_IMAGE, LEVEL_ERROR,
                             "There is no Windows image in this folder.");
        error.cure = "Name the folder that the linker writes to.";
        report_problem(run, path, &error, &arena);
    }
    arena_free(&arena);
}

static enum exit_code run_images(const struct cli_options *options, const struct report_style *style,
                                 FILE *stream)
{
    struct run run = {
        .options = options,
        .style = style,
        .stream = stream,
        .pipeline =
            {
                .goal = options->verb == VERB_CHECK ? GOAL_CHECK
                        : options->verb == VERB_FIX ? GOAL_FIX
                                                    : GOAL_SHOW,
                .target = options->target,
                .no_code = options->no_code,
                .dry_run = options->dry_run,
                .output_path = options->output_path,
                .drop_signature = options->drop_signature,
                .only = options->only,
                .only_count = options->only_count,
            },
        .is_first = true,
    };
    struct arena arena;
    arena_init(&arena, NULL);
    struct text begin = {.arena = &arena}, end = {.arena = &arena};
    bool is_json = options->format == FORMAT_JSON;
    if (is_json)
        report_json_begin(&begin);
    put(stream, &begin);
    struct outcome after = {.path = options->after_path};
    if (options->after_path) {
        pipeline_run(options->after_path, &run.pipeline, &after);
        if (after.judged)
            run.after = &after;
        else
            report_outcome(&run, &after); /* says why it cannot be shown */
    }
    for (size_t i = 0; i < options->path_count; i++)
        run_path(&run, options->paths[i]);
    if (options->after_path)
        pipeline_release(&after);
    if (is_json)
        report_json_end(&end);
    else if (options->verb != VERB_SHOW)
        report_text_summary(&end, &run.totals, style);
    put(stream, &end);
    arena_free(&arena);
    return run.exit_code;
}

static void report_verdict(const struct cli_options *options, const struct report_style *style,
                           const struct verify_verdict *verdict, struct text *text)
{
    if (options->format == FORMAT_JSON)
        report_json_verdict(text, options->paths[0], options->paths[1], verdict);
    else
        report_text_verdict(text, options->paths[0], options->paths[1], verdict, style);
}

static enum exit_code run_verify(const struct cli_options *options, const struct report_style *style,
                                 FILE *stream)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    struct file_content old_file, new_file;
    struct finding error;
    struct verify_verdict verdict;
    enum exit_code exit_code = EXIT_INPUT;
    bool old_read = file_read(options->paths[0], &arena, &old_file, &error);
    if (!old_read || !file_read(options->paths[1], &arena, &new_file, &error)) {
        verdict = (struct verify_verdict){.result = VERIFY_UNREADABLE,
                                          .reason = error.message,
                                          .file_offset = NO_FILE_OFFSET,
                                          .rva = NO_RVA,
                                          .in_old = !old_read};
        report_verdict(options, style, &verdict, &text);
        put(stream, &text);
    } else if (!verify_pair(old_file.bytes, new_file.bytes, &arena, &verdict)) {
        fprintf(stderr, "hvcifix : error HVCI9008: There was not enough memory to compare these images.\n");
    } else {
        report_verdict(options, style, &verdict, &text);
        put(stream, &text);
        exit_code = verdict.result == VERIFY_UNREADABLE ? EXIT_INPUT
                    : verdict.result == VERIFY_REFUTED  ? EXIT_FINDINGS
                                                        : EXIT_CLEAN;
    }
    arena_free(&arena);
    return exit_code;
}

/* `explain` and `rules`: no image is involved. */
static enum exit_code run_texts(const struct cli_options *options, const struct report_style *style,
                                FILE *stream)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    enum exit_code exit_code = EXIT_CLEAN;
    if (options->verb == VERB_RULES) {
        if (options->format == FORMAT_MARKDOWN)
            rules_markdown(&text);
        else
            report_text_rules(&text, style);
    } else if (!report_text_explain(&text, options_code(options->paths[0]), style)) {
        fprintf(stderr, "hvcifix : error HVCI9010: There is no rule \"%s\"; \"hvcifix rules\" lists them.\n",
                options->paths[0]);
        exit_code = EXIT_USAGE;
    }
    put(stream, &text);
    arena_free(&arena);
    return exit_code;
}

enum exit_code verb_run(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    switch (options->verb) {
    case VERB_CHECK:
    case VERB_FIX:
    case VERB_SHOW:
        return run_images(options, style, stream);
    case VERB_VERIFY:
        return run_verify(options, style, stream);
    case VERB_EXPLAIN:
    case VERB_RULES:
    case VERB_COUNT:
        break;
    }
    return run_texts(options, style, stream);
}
