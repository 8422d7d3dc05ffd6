/* pipeline_parts.h - what the files that tell the story of one image share.
 * Takes: an outcome in the making.  Gives: its stages and its ends.  Must not: be included but by
 * pipeline*.c. */
#ifndef HVCIFIX_PIPELINE_PARTS_H
#define HVCIFIX_PIPELINE_PARTS_H

#include "pipeline.h"

/* The ends of an image. All return false, so that a stage can end the sequence with `return`. */
bool outcome_end(struct outcome *outcome, enum outcome_status status, enum exit_code exit_code);
bool outcome_end_with_problem(struct outcome *outcome, const struct finding *problem,
                              enum outcome_status status, enum exit_code exit_code);
/* Memory is the one failure that can meet every stage; the text needs no memory itself. */
bool outcome_end_out_of_memory(struct outcome *outcome);
/* A repair of ours that our verifier did not accept: nothing was written. */
bool outcome_end_refuted(struct outcome *outcome);

/* The repair ends because of its PDB: outcome->pdb.error, or memory ran out. */
bool outcome_end_with_pdb_error(struct outcome *outcome);

/* Two judges look in different ways; where one is not convinced, nothing is proved, and nothing is wrong. */
bool outcome_is_unproved(const struct outcome *outcome);

/* Is the image to be given up? Asked between stages, and last before its repair replaces anything. */
bool outcome_is_stopped(struct outcome *outcome, const struct pipeline_options *options);

/* Asks whether Windows would load the image, and all rules about it. What every Windows refuses goes to
 * `refusals`, all else to `findings`. False when memory ran out. */
bool pipeline_judge(struct outcome *outcome, const struct image *image, const struct refset *refs,
                    const struct call_judgement *calls, const struct pipeline_options *options,
                    struct finding_list *refusals, struct finding_list *findings,
                    struct rule_answer *answers);

/* What the image's code asks for; outcome->asked, when the options ask for it. `refs` and `code` as for
 * calls_judge(), `names` too. False when memory ran out. */
bool pipeline_judge_calls(const struct image *image, const struct refset *refs, const struct code_map *code,
                          const struct given_names *names, const struct pipeline_options *options,
                          struct arena *arena, struct call_judgement *judgement);

/* pipeline_symbols.c: reads outcome->names from what options->symbols_path names, when it belongs to the
 * image; else a note says why not, and there are none. False when memory ran out. */
bool pipeline_symbols_read(struct outcome *outcome, const struct pipeline_options *options);
/* The same names by the RVAs of the repaired image. NULL when memory ran out. */
const struct given_names *pipeline_symbols_moved(struct outcome *outcome);

/* Was the change made for this finding? Section headers keep their places in the file; every other change is
 * for all findings of its rule. */
bool change_is_for(const struct change *change, const struct finding *finding);

/* Leaves the file that leads back from `written` beside the image, on the disk before it returns. False when
 * that failed (outcome->undo.error), memory ran out, or the image is given up: then `written` must not
 * replace the image. */
bool pipeline_leave_undo(struct outcome *outcome, const struct pipeline_options *options,
                         struct span written);

/* The image was not replaced after all: what had that name is there again, or nothing. */
void pipeline_take_undo_back(struct outcome *outcome);

/* pipeline_accept.c: has outcome->output proved, sealed and written to `target`; with dry_run
 * or in_memory only proved. FILE_NOT_ACCEPTED: the outcome's verdict, `undo` or `pdb` say why, or it was
 * given up. FILE_WRITE_FAILED: *error. */
enum file_write_result pipeline_accept(struct outcome *outcome, const struct pipeline_options *options,
                                       const struct file_replacement *target, struct finding *error);

/* Stages plan to verify. The outcome says all. */
bool pipeline_repair(struct outcome *outcome, const struct pipeline_options *options);

/* pipeline_nx.c: with adds_nx, decides which calls are led through stubs, for plan_options->nx. False when
 * the image has ended. */
bool pipeline_nx_plan(struct outcome *outcome, const struct pipeline_options *options,
                      struct plan_options *plan_options);
/* The verifier could not show what it has to of one import's stub: *doubt is about that import. `planned` as
 * for pipeline_nx_emit(). False when it was about something else. */
bool pipeline_nx_doubt(const struct outcome *outcome, const struct nx_plan *planned, struct nx_left *doubt);
/* The same where pipeline_nx_emit() failed, as not all is seen as before in the new layout. */
bool pipeline_nx_lost(const struct outcome *outcome, const struct nx_plan *planned, struct nx_left *doubt);
/* That import is given up, and the outcome is as it was before it was planned, to be planned again. False
 * when too many are given up. */
bool pipeline_nx_give_up(struct outcome *outcome, const struct nx_left *doubt);
/* Makes it of outcome->output, the bytes of all other repairs. False with *error set. */
bool pipeline_nx_emit(struct outcome *outcome, const struct pipeline_options *options,
                      const struct nx_plan *planned, struct finding *error);

#endif
