/* verbs.c - running the verbs over their arguments.
 * Takes: parsed options.  Gives: reports on the stream, and an exit code.
 * Must not: know how many images are run over (run_images.c). */
#include "cli/verbs.h"

#include "cli/console.h"
#include "cli/help.h"
#include "cli/run_doctor.h"
#include "cli/run_images.h"
#include "cli/run_policy.h"
#include "cli/run_restore.h"
#include "cli/run_translate.h"
#include "report/report_policy.h"
#include "report/safe_text.h"
#include "rules/rules_markdown.h"

/* Puts out a text that is whole; when memory has run out, says so instead. Returns the exit code, which is
 * then another. */
static enum exit_code put(FILE *stream, const struct text *text, enum exit_code exit_code)
{
    if (text->arena->exhausted) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for this report.\n");
        return EXIT_INPUT;
    }
    if (text->nbytes != 0)
        console_write(stream, text->chars, text->nbytes); /* failures are seen by ferror() at the end */
    return exit_code;
}

static void report_verdict(const struct cli_options *options, const struct report_style *style,
                           const struct verify_verdict *verdict, struct text *text)
{
    if (options->format == FORMAT_JSON)
        report_json_verdict(text, options->paths[0], options->paths[1], verdict);
    else
        report_text_verdict(text, options->paths[0], options->paths[1], verdict, style);
}

/* With --new-pdb-id the GUID by which NEW names its PDB may differ; without it, it is said when that is all.
 */
static bool judge_pair(const struct cli_options *options, struct span old_file, struct span new_file,
                       struct arena *arena, struct verify_verdict *verdict)
{
    struct verify_verdict with_id;
    if (options->new_pdb_id)
        return verify_pair_with_new_identity(old_file, new_file, arena, verdict);
    if (!verify_pair(old_file, new_file, arena, verdict))
        return false;
    if (verdict->result != VERIFY_REFUTED)
        return true;
    if (!verify_pair_with_new_identity(old_file, new_file, arena, &with_id))
        return false;
    if (with_id.result == VERIFY_PROVED || with_id.result == VERIFY_PROVED_WITH_ASSUMPTIONS)
        verdict->reason = arena_printf(arena,
                                       "%s All that is not explained is the GUID by which NEW names its PDB: "
                                       "--new-pdb-id accepts it.",
                                       verdict->reason);
    return true;
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
    if (!old_read || !file_read(options->paths[1], &arena, &new_file, &error))
        verdict = (struct verify_verdict){.result = VERIFY_UNREADABLE,
                                          .reason = error.message,
                                          .file_offset = NO_FILE_OFFSET,
                                          .rva = NO_RVA,
                                          .in_old = !old_read};
    else if (!judge_pair(options, old_file.bytes, new_file.bytes, &arena, &verdict))
        arena.exhausted = true;
    else if (verdict.result != VERIFY_UNREADABLE)
        exit_code = verdict.result == VERIFY_REFUTED ? EXIT_FINDINGS : EXIT_CLEAN;
    if (!arena.exhausted)
        report_verdict(options, style, &verdict, &text);
    exit_code = put(stream, &text, exit_code);
    arena_free(&arena);
    return exit_code;
}

static enum exit_code no_such_word(struct arena *arena, const char *format, const char *word)
{
    struct text shown = {.arena = arena};
    safe_add(&shown, word);
    if (!arena->exhausted)
        console_complain("hvcifix : error HVCI9010: %s\n",
                         arena_printf(arena, format, shown.chars ? shown.chars : ""));
    return EXIT_USAGE;
}

/* The help of all verbs or of one, or a topic. */
static enum exit_code run_help(const struct cli_options *options, struct text *text)
{
    const char *word = options->path_count != 0 ? options->paths[0] : NULL;
    const struct help_topic *topic = word ? help_topic_find(word) : NULL;
    size_t verb = 0;
    while (word && verb < VERB_COUNT && strcmp(verb_rows[verb].name, word) != 0)
        verb++;
    if (topic)
        topic->write(text);
    else if (!word || verb < VERB_COUNT)
        options_help(text, word ? &verb_rows[verb].verb : NULL);
    else
        return no_such_word(text->arena, "There is no verb or topic \"%s\"; \"hvcifix help\" lists them.",
                            word);
    return EXIT_CLEAN;
}

/* `explain`, `rules`, `policy` and `help`: no image is involved. */
static enum exit_code run_texts(const struct cli_options *options, const struct report_style *style,
                                FILE *stream)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct text text = {.arena = &arena};
    enum exit_code exit_code = EXIT_CLEAN;
    if (options->verb == VERB_POLICY) {
        exit_code = run_policy(options, style, &text);
    } else if (options->verb == VERB_RULES) {
        struct policy policy;
        if (options->policy_path && policy_load(options, style, &arena, &policy, &exit_code))
            report_text_policy(&text, &policy);
        else if (!options->policy_path && options->format == FORMAT_MARKDOWN)
            rules_markdown(&text);
        else if (!options->policy_path)
            report_text_rules(&text, style);
    } else if (options->verb == VERB_HELP) {
        exit_code = run_help(options, &text);
    } else if (!report_text_explain(&text, options_code(options->paths[0]), style)) {
        exit_code =
            no_such_word(&arena, "There is no rule \"%s\"; \"hvcifix rules\" lists them.", options->paths[0]);
    }
    exit_code = put(stream, &text, exit_code);
    arena_free(&arena);
    return exit_code;
}

enum exit_code verb_run(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    switch (options->verb) {
    case VERB_CHECK:
    case VERB_FIX:
    case VERB_SHOW:
    case VERB_ENFORCE:
    case VERB_LINK: /* has become enforce */
        return run_images(options, style, stream);
    case VERB_DOCTOR:
        return run_doctor(options, style, stream);
    case VERB_RESTORE:
        return run_restore(options, style, stream);
    case VERB_VERIFY:
        return run_verify(options, style, stream);
    case VERB_TRANSLATE:
        return run_translate(options, stream);
    case VERB_EXPLAIN:
    case VERB_RULES:
    case VERB_POLICY:
    case VERB_HELP:
    case VERB_COUNT:
        break;
    }
    return run_texts(options, style, stream);
}
