/* policy_lines.h - a policy file line by line, as inih can read it.
 * Takes: a text.  Gives: lines for inih, and a problem for each that it would misread.
 * Must not: be included outside of tool/policy. */
#ifndef HVCIFIX_POLICY_POLICY_LINES_H
#define HVCIFIX_POLICY_POLICY_LINES_H

#include "policy/policy_parts.h"

/* The name in the line that stands for the beginning of a section; no key has it. */
#define POLICY_SECTION_BEGINS "section begins here"

/* The caller sets the first three, and next_offset when the text begins with a byte order mark. */
struct policy_lines {
    struct policy_reader *reader;
    const char *file;
    struct span text;
    size_t next_offset;
    unsigned line;     /* of the line that inih has */
    const char *chars; /* that line, without its end */
    size_t nbytes, indent_nbytes;
    bool owes_section_line; /* the line was a section's head */
};

/* Gives inih the next line, with its end and a NUL, as fgets() does; NULL behind the last. `context` is a
 * struct policy_lines. */
char *policy_give_line(char *buffer, int size, void *context);

/* The place `offset` bytes into the line that inih has. */
struct policy_origin policy_line_place(const struct policy_lines *lines, size_t offset);

/* Appends a problem of that line. */
void policy_complain_of_line(struct policy_lines *lines, const char *message);

#endif
