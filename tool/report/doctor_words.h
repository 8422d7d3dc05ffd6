/* doctor_words.h - what both forms of the doctor's page say.
 * Takes: what was examined.  Gives: sentences.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_DOCTOR_WORDS_H
#define HVCIFIX_REPORT_DOCTOR_WORDS_H

#include "doctor/code_integrity.h"
#include "doctor/doctor.h"

/* "refuses it; it can be repaired with proof" and the like, about the whole. */
const char *doctor_summary(const struct doctor *doctor);

/* Is there anything that would have to be signed anew, or that somebody might want to repair? */
bool doctor_needs_signature(const struct doctor *doctor);

/* Who may sign what; each a sentence or two. */
extern const char *const doctor_first[];
extern const size_t doctor_first_count;

/* Whether memory integrity is on here, or how to see it. */
const char *doctor_integrity_words(enum code_integrity integrity);

/* "can be repaired", ... */
const char *doctor_state_words(const struct doctor_image *image);

/* What a repair leaves alone. */
extern const char *const doctor_untouched[];
extern const size_t doctor_untouched_count;

const char *doctor_kind_words(enum doctor_kind kind);

#endif
