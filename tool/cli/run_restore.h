/* run_restore.h - restore: repaired images back to their originals, one after the other.
 * Takes: parsed options and a stream for the report.  Gives: an exit code.  Must not: parse options. */
#ifndef HVCIFIX_CLI_RUN_RESTORE_H
#define HVCIFIX_CLI_RUN_RESTORE_H

#include <stdio.h>

#include "cli/options.h"

enum exit_code run_restore(const struct cli_options *options, const struct report_style *style, FILE *stream);

#endif
