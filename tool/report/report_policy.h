/* report_policy.h - policies and what is wrong with them, as text.
 * Takes: struct policy and its problems.  Gives: lines.  Must not: read files. */
#ifndef HVCIFIX_REPORT_REPORT_POLICY_H
#define HVCIFIX_REPORT_REPORT_POLICY_H

#include "policy/policy.h"
#include "report/report.h"

/* policy.ini(12,3): error HVCI9040: ..., which editors jump to. */
void report_text_policy_problem(struct text *text, const struct policy_problem *problem,
                                const struct report_style *style);

/* One line: can the policy be used? */
void report_text_policy_result(struct text *text, const struct policy *policy,
                               const struct policy_problem_list *problems, bool is_usable);

/* `rules --policy`: every value that holds, and where it was set. */
void report_text_policy(struct text *text, const struct policy *policy);

/* The sentence about a waiver that has expired. */
const char *report_expired_waiver(const struct waiver *waiver, struct arena *arena);

/* How grave that is: an audit (`enforce` in that mode) stops nothing. */
enum finding_level report_expired_level(const struct policy *policy, const char *verb);

/* All waivers that have expired, as problems. */
void report_text_expired_waivers(struct text *text, const struct policy *policy, const char *verb,
                                 const struct report_style *style);

/* The waivers whose images were judged and had no such finding, as problems. */
void report_text_unused_waivers(struct text *text, const struct policy *policy, const enum waiver_use *uses,
                                const struct report_style *style);

#endif
