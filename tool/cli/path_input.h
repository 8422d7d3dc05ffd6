/* path_input.h - paths from standard input, where the command line says "-".
 * Takes: parsed options.  Gives: the same with the paths of the list in the place of "-".  Must not: open
 * them. */
#ifndef HVCIFIX_CLI_PATH_INPUT_H
#define HVCIFIX_CLI_PATH_INPUT_H

#include "cli/options.h"

/* One path a line, with either kind of line end, empty lines passed over; or with options->null_separated one
 * before each NUL. UTF-8, or UTF-16 with a byte-order mark. False with *message set (one sentence) when the
 * list cannot be read or names nothing, or, with arena->exhausted, when memory ran out. */
bool path_input_expand(struct cli_options *options, struct arena *arena, const char **message);

#endif
