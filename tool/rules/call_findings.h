/* call_findings.h - what the rules about calls (HVCI2000 to 2002) share: one finding for each call that asks,
 * or may ask, for executable memory.
 * Takes: the judgement of the calls (rule_input.calls).  Gives: findings and answers.  Must not: judge calls.
 * Only files of tool/rules include this. */
#ifndef HVCIFIX_RULES_CALL_FINDINGS_H
#define HVCIFIX_RULES_CALL_FINDINGS_H

#include "rules/rule_parts.h"

/* Words of one rule about calls. */
struct call_rule {
    const struct rule *rule;
    const char *asks_for;       /* "executable pool" */
    const char *stop;           /* the third parameter of Driver Verifier's stop and a blank: "pool type " */
    const char *windows;        /* true for kernel images of 64-bit Windows */
    const char *windows_itself; /* the same for functions that Driver Verifier does not look at; NULL: none */
    const char *cure_at_all;    /* a sentence behind the cure of the single call, or NULL */
};

/* Answers for the rule, with a finding for each of its sites that is not proved harmless: proved ones are
 * errors, those that depend on a value warnings, those that are not known notes. False when memory ran out.
 */
bool call_rule_judge(const struct rule_input *input, struct rule_answer *answer,
                     const struct call_rule *words);

#endif
