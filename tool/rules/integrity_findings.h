/* integrity_findings.h - what the rules about code that fights memory integrity (HVCI2300 to 2303) share.
 * Takes: the judgement of the calls (rule_input.calls).  Gives: findings and answers.  Must not: judge code.
 * Only files of tool/rules include this. */
#ifndef HVCIFIX_RULES_INTEGRITY_FINDINGS_H
#define HVCIFIX_RULES_INTEGRITY_FINDINGS_H

#include "rules/rule_parts.h"

/* Words of one rule. */
struct integrity_rule {
    const struct rule *rule;
    enum finding_level
        proved_level; /* of what is proved; the rest are warnings, and notes where nothing is known */
    const char *does; /* "clears the write-protect bit of CR0" */
    const char *windows, *cure;
};

/* Answers for the rule, with a finding for each place. False when memory ran out. */
bool integrity_rule_judge(const struct rule_input *input, struct rule_answer *answer,
                          const struct integrity_rule *words);

#endif
