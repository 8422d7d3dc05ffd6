/* text_changes.h - what was or would be changed, and how the verifier judged it.
 * Takes: a plan or a verdict.  Gives: lines.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_TEXT_CHANGES_H
#define HVCIFIX_REPORT_TEXT_CHANGES_H

#include "plan/plan.h"
#include "report/report.h"

/* ", 2 changes, proved" or ", 2 changes, 1 of them assumed". */
void text_changes_count(struct text *text, const struct plan *plan);

/* One indented paragraph a change of the outcome's plan. */
void text_changes_list(struct text *text, const struct outcome *outcome);

/* What the field holds after the change; false when that is not known yet (a checksum before emit). */
bool change_new_value(const struct outcome *outcome, const struct change *change, uint64_t *value);

/* Rules that the new image still breaks; only for a verdict that has some. */
void text_still_broken(struct text *text, const struct verify_verdict *verdict);

/* What the verifier's result means for the reader. */
const char *text_verdict_words(enum verify_result result);

#endif
