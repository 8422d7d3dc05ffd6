/* run_images.h - check, fix and show: all images of a command line, on all cores, reported in their order.
 * Takes: parsed options and a stream for the report.  Gives: an exit code.  Must not: parse options. */
#ifndef HVCIFIX_CLI_RUN_IMAGES_H
#define HVCIFIX_CLI_RUN_IMAGES_H

#include <stdio.h>

#include "cli/options.h"

/* The reports are the same bytes whatever options->jobs says. */
enum exit_code run_images(const struct cli_options *options, const struct report_style *style, FILE *stream);

#endif
