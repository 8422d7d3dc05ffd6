/* merge_evidence.h - how read-only data came into an executable section.
 * Takes: image, debug references, the section.  Gives: evidence lines and the option to remove.
 * Must not: judge; it is asked only after a rule has failed. */
#ifndef HVCIFIX_RULES_MERGE_EVIDENCE_H
#define HVCIFIX_RULES_MERGE_EVIDENCE_H

#include "rules/rule_parts.h"

struct merge_evidence {
    const char
        *from; /* ".rdata" or ".idata": what was merged into the section; NULL: nothing shows a merge */
    bool is_recorded; /* the image's own list of section contributions says so; else it is concluded */
};

/* Appends what speaks for a /MERGE into `section` to the evidence of *finding. */
struct merge_evidence merge_evidence_add(const struct rule_input *input, const struct section *section,
                                         struct finding *finding);

/* What to change at the source, in one or two sentences. */
const char *merge_evidence_cure(const struct rule_input *input, const struct section *section,
                                struct merge_evidence evidence);

#endif
