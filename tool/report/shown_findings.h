/* shown_findings.h - which findings of an outcome a reader sees, and in which order.
 * Takes: struct outcome.  Gives: one finding at a time.  Must not: judge.
 * The tool's own problems come first, then what was odd about the file. After a repair (or a dry run that
 * was proved) the findings about the new bytes count, and those that the repair cured are shown as notes: a
 * build that ends well must not print error lines (MSBuild fails a task that prints one and exits with 0). */
#ifndef HVCIFIX_REPORT_SHOWN_FINDINGS_H
#define HVCIFIX_REPORT_SHOWN_FINDINGS_H

#include "pipeline.h"

struct shown_finding {
    const struct finding *finding;
    enum finding_level level;
    bool is_cured;   /* found in the old bytes; no finding of its code is left in the new ones */
    bool is_problem; /* the tool's own: bad input, a refusal */
};

struct shown_cursor {
    unsigned list; /* private to shown_next(), zero at the start */
    size_t index;
    enum finding_code last_code; /* `code_remains` is known for this one */
    bool code_remains;
};

/* Gives the next finding; false after the last. Findings that are switched off are passed over. */
bool shown_next(const struct outcome *outcome, struct shown_cursor *cursor, struct shown_finding *shown);

#endif
