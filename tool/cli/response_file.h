/* response_file.h - the text of a file of arguments.
 * Takes: its bytes.  Gives: UTF-8.  Must not: take the text apart (split.h). */
#ifndef HVCIFIX_CLI_RESPONSE_FILE_H
#define HVCIFIX_CLI_RESPONSE_FILE_H

#include "base/arena.h"
#include "base/span.h"

/* A UTF-8 byte-order mark is dropped; UTF-16LE and UTF-16BE with one are converted (tool tasks of MSBuild
 * write either). NULL when memory ran out. */
char *response_file_text(struct span file, struct arena *arena, size_t *nbytes);

#endif
