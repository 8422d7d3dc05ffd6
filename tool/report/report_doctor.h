/* report_doctor.h - the doctor's page.
 * Takes: what was examined, and steps.  Gives: text for a person, or JSON.  Must not: decide anything. */
#ifndef HVCIFIX_REPORT_REPORT_DOCTOR_H
#define HVCIFIX_REPORT_REPORT_DOCTOR_H

#include "doctor/code_integrity.h"
#include "doctor/doctor_steps.h"
#include "report/report.h"

void report_text_doctor(struct text *text, const struct doctor *doctor, const struct doctor_steps *steps,
                        enum code_integrity integrity, const struct report_style *style);

/* What stands in the way of a page, as JSON: {"doctor": {"path": ..., "problem": {...}}}. */
void report_json_doctor_problem(struct text *text, const struct doctor *doctor);

/* {"doctor": {...}} as docs/report.schema.json says. */
void report_json_doctor(struct text *text, const struct doctor *doctor, const struct doctor_steps *steps,
                        enum code_integrity integrity);

#endif
