/* own_codes.h - what the tool's own codes (HVCI9xxx) mean, for `explain`.
 * Takes: a code.  Gives: texts.  Must not: hold anything about rules, which explain themselves. */
#ifndef HVCIFIX_REPORT_OWN_CODES_H
#define HVCIFIX_REPORT_OWN_CODES_H

#include "base/finding.h"

struct own_code {
    enum finding_code code;
    const char *title; /* a few words */
    const char *what;  /* what happened */
    const char *cure;  /* what the user can do */
};

extern const struct own_code own_codes[];
extern const size_t own_code_count;

/* NULL when there is none. */
const struct own_code *own_code_find(unsigned code);

#endif
