/* run_doctor.h - doctor: one page about a driver or a driver package.
 * Takes: parsed options and a stream for the page.  Gives: an exit code.  Must not: parse options. */
#ifndef HVCIFIX_CLI_RUN_DOCTOR_H
#define HVCIFIX_CLI_RUN_DOCTOR_H

#include <stdio.h>

#include "cli/options.h"

enum exit_code run_doctor(const struct cli_options *options, const struct report_style *style, FILE *stream);

#endif
