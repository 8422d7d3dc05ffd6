/* option_values.h - what the values of options mean, one function each.
 * Takes: the word that was typed.  Gives: its fields of struct cli_options.  Must not: print or exit.
 * Private to the parser. Each returns false, with a message, when the word is no value for its option or
 * memory ran out. */
#ifndef HVCIFIX_CLI_OPTION_VALUES_H
#define HVCIFIX_CLI_OPTION_VALUES_H

#include "cli/option_parser.h"

bool option_parse_target(struct option_parser *parser, const char *word, enum windows_target *target);
bool option_parse_mode(struct option_parser *parser, const char *word);
bool option_parse_on_fail(struct option_parser *parser, const char *word);
bool option_parse_color(struct option_parser *parser, const char *word);
bool option_parse_jobs(struct option_parser *parser, const char *word);
bool option_parse_driver_ver(struct option_parser *parser, const char *word);
bool option_parse_signer(struct option_parser *parser, const char *command);

/* Which formats there are depends on the verb. */
bool option_parse_format(struct option_parser *parser, const char *word);

/* A report to a file, in the format that its name says; `name` is that of the option. */
bool option_add_report(struct option_parser *parser, const char *name, const char *argument);

/* FILE:LINE of the repository, where SARIF for GitHub puts its results. */
bool option_parse_anchor(struct option_parser *parser, const char *word);

/* A rule by its code; once is enough. */
bool option_add_only(struct option_parser *parser, const char *word);

#endif
