/* report_stream.c - report_stream.h.
 * Takes: the path of --output.  Gives: a stream, and the way back.  Must not: know what is written to it. */
#include "cli/report_stream.h"

#include "cli/console.h"

bool report_stream_open(struct report_stream *report, const char *path)
{
    struct finding error;
    *report = (struct report_stream){.stream = stdout, .path = path};
    if (!path)
        return true;
    arena_init(&report->arena, NULL);
    /* What cannot be read (a device, or nothing is there) cannot be put back. */
    report->was_there = file_read(path, &report->arena, &report->before, &error);
    report->stream = console_open_report(path);
    if (!report->stream)
        arena_free(&report->arena);
    return report->stream != NULL;
}

static bool end(struct report_stream *report)
{
    bool is_whole = fflush(report->stream) == 0 && !ferror(report->stream);
    if (report->path && fclose(report->stream) != 0)
        is_whole = false;
    return is_whole;
}

bool report_stream_close(struct report_stream *report)
{
    bool is_whole = end(report);
    if (report->path)
        arena_free(&report->arena);
    return is_whole;
}

void report_stream_undo(struct report_stream *report)
{
    (void)end(report);
    if (!report->path)
        return;
    struct file_replacement old = {
        .path = report->path, .bytes = report->before.bytes, .mode = report->before.mode};
    struct finding error;
    if (!report->was_there || file_replace(&old, &report->arena, &error) != FILE_WRITTEN)
        console_remove_report(report->path);
    arena_free(&report->arena);
}
