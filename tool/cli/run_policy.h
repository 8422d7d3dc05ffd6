/* run_policy.h - policy files at the command line: `policy init`, `policy check`, `rules --policy`, and the
 * policy of a run over images. Takes: parsed options.  Gives: policies, and their problems as text.  Must
 * not: judge images. */
#ifndef HVCIFIX_CLI_RUN_POLICY_H
#define HVCIFIX_CLI_RUN_POLICY_H

#include "cli/options.h"

/* The policy of --policy. False when it cannot be used: *exit_code says why. Its problems are complained of.
 */
bool policy_load(const struct cli_options *options, const struct report_style *style, struct arena *arena,
                 struct policy *policy, enum exit_code *exit_code);

/* Could policy_load() be used? Nothing is said. */
bool policy_is_usable(const struct cli_options *options, struct arena *arena);

/* `policy init` or `policy check` into the text. */
enum exit_code run_policy(const struct cli_options *options, const struct report_style *style,
                          struct text *text);

#endif
