/* report_restore.c - what `restore` says of an image.
 * Takes: a restore_outcome.  Gives: text and JSON.  Must not: decide anything. */
#include "report/digest_words.h"
#include "report/json_parts.h"
#include "report/layout.h"
#include "report/report_undo.h"
#include "report/safe_text.h"
#include "report/text_finding.h"

static const char *const words[] = {[RESTORE_DONE] = "restored",
                                    [RESTORE_POSSIBLE] = "can be restored, nothing was written",
                                    [RESTORE_NEEDLESS] = "already the original",
                                    [RESTORE_REFUSED] = "refused, nothing was written",
                                    [RESTORE_FAILED] = "failed, nothing was written"};
static const char *const json_words[] = {[RESTORE_DONE] = "restored",
                                         [RESTORE_POSSIBLE] = "can-be-restored",
                                         [RESTORE_NEEDLESS] = "already-original",
                                         [RESTORE_REFUSED] = "refused",
                                         [RESTORE_FAILED] = "error"};

static bool is_good(const struct restore_outcome *outcome)
{
    return outcome->result <= RESTORE_NEEDLESS;
}

void report_text_restore(struct text *text, const struct restore_outcome *outcome,
                         const struct restore_options *options, const struct report_style *style)
{
    size_t start_nbytes = text->nbytes;
    for (size_t i = 0; i < outcome->problems.count; i++) {
        const struct finding *problem = &outcome->problems.items[i];
        text_finding_line(text, outcome->path, problem, problem->level, "", style);
        if (!style->quiet)
            text_finding_advice(text, problem);
    }
    if (style->quiet) {
        text_cut_if_exhausted(text, start_nbytes);
        return;
    }
    size_t line_start = text->nbytes;
    safe_add_path(text, outcome->path);
    text_addz(text, ": ");
    layout_paint(text, style, is_good(outcome) ? PAINT_GOOD : PAINT_BAD, words[outcome->result]);
    if (outcome->step_count > 1 && is_good(outcome))
        text_printf(text, ", %zu repairs undone", outcome->step_count);
    safe_end_line(text, line_start);
    if (is_good(outcome))
        layout_labelled(text, "original",
                        arena_printf(text->arena, "%u bytes, SHA-256 %s", (unsigned)outcome->original.nbytes,
                                     digest_words(text->arena, outcome->original.sha256)));
    if (outcome->was_signed && is_good(outcome))
        layout_labelled(text, "signature",
                        "The image was signed after the repair; that signature goes, too.");
    if (outcome->result == RESTORE_DONE && options->output_path)
        layout_labelled(text, "written", arena_printf(text->arena, "to %s", options->output_path));
    if (outcome->pdb_path)
        layout_labelled(text, "PDB",
                        arena_printf(text->arena, "%s is that of the original again", outcome->pdb_path));
    else if (outcome->kept_pdb_path)
        layout_labelled(text, "PDB",
                        arena_printf(text->arena,
                                     "%s is that of the original; it was not put back, because its place is "
                                     "taken. Rename it yourself.",
                                     outcome->kept_pdb_path));
    if (outcome->undo_removed)
        layout_labelled(text, "removed", outcome->undo_path);
    text_cut_if_exhausted(text, start_nbytes);
}

void report_json_restores_begin(struct text *text)
{
    text_addz(text, "{\"restores\": [\n");
}

void report_json_restores_end(struct text *text, bool was_interrupted)
{
    text_addz(text, was_interrupted ? "\n],\n\"interrupted\": true}\n" : "\n]}\n");
}

void report_json_restore(struct text *text, const struct restore_outcome *outcome,
                         const struct restore_options *options, bool is_first)
{
    size_t start_nbytes = text->nbytes;
    struct json_writer json;
    if (!is_first)
        text_addz(text, ",\n");
    json_begin_root(&json, text);
    json_text(&json, "path", outcome->path);
    json_text(&json, "undo_path", outcome->undo_path);
    json_text(&json, "result", json_words[outcome->result]);
    json_text(&json, "written",
              outcome->result != RESTORE_DONE ? NULL
              : options->output_path          ? options->output_path
                                              : outcome->path);
    json_number(&json, "repairs_undone", is_good(outcome) ? outcome->step_count : 0);
    json_bool(&json, "was_signed", outcome->was_signed);
    json_text(&json, "pdb", outcome->pdb_path);
    json_text(&json, "pdb_kept", outcome->pdb_path ? NULL : outcome->kept_pdb_path);
    json_bool(&json, "undo_removed", outcome->undo_removed);
    if (is_good(outcome)) {
        json_begin_object(&json, "original");
        json_number(&json, "size", outcome->original.nbytes);
        json_text(&json, "sha256", digest_words(text->arena, outcome->original.sha256));
        json_end_object(&json);
    } else {
        json_null(&json, "original");
    }
    json_begin_array(&json, "findings");
    json_findings(&json, &outcome->problems);
    json_end_array(&json);
    json_end_object(&json);
    text_cut_if_exhausted(text, start_nbytes);
}
