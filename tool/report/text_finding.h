/* text_finding.h - one finding as text: the diagnostic line, and its details indented under it.
 * Takes: a finding and where it is said.  Gives: lines.  Must not: decide what is shown. */
#ifndef HVCIFIX_REPORT_TEXT_FINDING_H
#define HVCIFIX_REPORT_TEXT_FINDING_H

#include "base/finding.h"
#include "report/report.h"

/* "PATH : error HVCI2004: message", which MSBuild parses for errors and warnings. `lead` ("cured: ") is put
 * in front of the message. */
void text_finding_line(struct text *text, const char *path, const struct finding *finding,
                       enum finding_level level, const char *lead, const struct report_style *style);

/* Who has waived it, until when and why; nothing when nobody has. */
void text_finding_waiver(struct text *text, const struct finding *finding);

/* Place and evidence. */
void text_finding_facts(struct text *text, const struct finding *finding);

/* Why Windows minds and the cure: often the same for many findings in a row, so it stands on its own. */
void text_finding_advice(struct text *text, const struct finding *finding);
bool text_finding_same_advice(const struct finding *a, const struct finding *b);

#endif
