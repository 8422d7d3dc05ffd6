/* run_translate.h - the verb `translate`.
 * Takes: parsed options; standard input when they name no address.  Gives: text on the stream, and an exit
 * code.  Must not: parse options. */
#ifndef HVCIFIX_CLI_RUN_TRANSLATE_H
#define HVCIFIX_CLI_RUN_TRANSLATE_H

#include <stdio.h>

#include "cli/options.h"

enum exit_code run_translate(const struct cli_options *options, FILE *stream);

#endif
