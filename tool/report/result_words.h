/* result_words.h - what became of an image, in words that all reports share.
 * Takes: an outcome.  Gives: parts of sentences.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_RESULT_WORDS_H
#define HVCIFIX_REPORT_RESULT_WORDS_H

#include "pipeline.h"

/* What went wrong, by the first problem that is an error (STATUS_ERROR). */
const char *result_error_words(const struct outcome *outcome);

/* What became of the image by the policy; NULL when there is none. */
const char *result_enforced_words(const struct outcome *outcome, struct arena *arena);

#endif
