/* verbs.h - what each verb does with its arguments.
 * Takes: parsed options and a stream for the report.  Gives: an exit code.  Must not: parse options. */
#ifndef HVCIFIX_CLI_VERBS_H
#define HVCIFIX_CLI_VERBS_H

#include <stdio.h>

#include "cli/options.h"

enum exit_code verb_run(const struct cli_options *options, const struct report_style *style, FILE *stream);

#endif
