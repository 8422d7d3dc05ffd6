/* link.h - `link`: a linker that is run, and its image, which is then enforced.
 * Takes: parsed options.  Gives: options of `enforce`, or an exit code.  Must not: judge. */
#ifndef HVCIFIX_CLI_LINK_H
#define HVCIFIX_CLI_LINK_H

#include "cli/options.h"

/* Runs what stands behind --. True when it has linked an image (or none, because the
 * policy cannot be used): *options has become a command line of
 * `enforce` over it. Otherwise false with *exit_code, the linker's own or, with the reason said, ours. */
bool link_run(struct cli_options *options, struct arena *arena, int *exit_code);

#endif
