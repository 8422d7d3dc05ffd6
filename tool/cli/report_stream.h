/* report_stream.h - where the report goes that is written as the run goes on: standard output, or --output.
 * Takes: the path of --output.  Gives: a stream.  Must not: know what is written to it. */
#ifndef HVCIFIX_CLI_REPORT_STREAM_H
#define HVCIFIX_CLI_REPORT_STREAM_H

#include "io/file.h"

#include <stdio.h>

struct report_stream {
    FILE *stream;
    const char *path;           /* NULL: standard output */
    struct arena arena;         /* of what follows */
    struct file_content before; /* what was there under the path */
    bool was_there;
};

/* Opens the file of that name, or takes standard output for NULL. False when the file cannot be opened. Ended
 * by one of the next two. */
bool report_stream_open(struct report_stream *report, const char *path);

/* False when not all that was written has reached its reader. */
bool report_stream_close(struct report_stream *report);

/* The same for a report that is not to stay: what was there before is there again, or nothing. */
void report_stream_undo(struct report_stream *report);

#endif
