/* option_parser.h - what the files that parse the command line share.
 * Takes: words.  Gives: struct cli_options, or the message for who typed them.  Must not: print or exit. */
#ifndef HVCIFIX_CLI_OPTION_PARSER_H
#define HVCIFIX_CLI_OPTION_PARSER_H

#include "cli/options.h"

struct option_parser {
    struct arena *arena;
    struct cli_options *options;
    const char *message; /* of the first failure */
    uint64_t given;      /* what was met so far: bit 1 << enum option_id */
};

/* Sets the message; `format` has one %s, for `what`. Returns false. */
bool option_fail(struct option_parser *parser, const char *format, const char *what);

/* A file or folder that an argument names, the code of `explain`, or the topic of `help`. */
bool option_take_path(struct option_parser *parser, const char *argument, const char **path);

/* The same for a file to write, for the option `name`. Other programs take - for standard output; here it
 * would make a file of that name, so it is none. */
bool option_take_new_path(struct option_parser *parser, const char *name, const char *argument,
                          const char **path);

/* What an option of the table says; `value` is "" for those without. False, with a message, when it is none
 * for it. */
bool option_apply(struct option_parser *parser, const struct option_row *row, const char *value);

/* What a verb needs beyond well-formed options. False with a message. */
bool options_check(struct option_parser *parser);

#endif
