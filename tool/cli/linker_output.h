/* linker_output.h - which file a linker's command line makes it write.
 * Takes: its words.  Gives: the names that the image may have.  Must not: look at images. */
#ifndef HVCIFIX_CLI_LINKER_OUTPUT_H
#define HVCIFIX_CLI_LINKER_OUTPUT_H

#include "cli/linker_words.h"

enum { LINKER_MOST_NAMES = 4 };

struct linker_output {
    bool links;     /* false: it prints something, compiles only, or makes a library */
    bool is_stated; /* by the command line; else the names are the linker's own choice */
    /* One of these; which one is seen when it has been written. None: not known. */
    const char *names[LINKER_MOST_NAMES];
    size_t name_count;
};

/* False when memory ran out. */
bool linker_output_find(const struct linker_words *words, struct linker_output *output);

#endif
