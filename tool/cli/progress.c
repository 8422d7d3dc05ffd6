/* progress.c - progress.h.
 * Takes: steps.  Gives: a line that is written over itself.  Must not: ask for the time where nothing is
 * shown. */
#include "cli/progress.h"

#include "cli/console.h"
#include "cli/workers.h"

#include <string.h>

enum {
    FIRST_LINE_MS = 500,
    NEXT_LINE_MS = 100,
    MS_PER_SECOND = 1000,
    LINE_NBYTES = 128,
    DURATION_NBYTES = 48
};

static struct {
    struct meeting *meeting; /* NULL: nothing is shown */
    size_t done_count, file_count;
    uint64_t begun_ms, drawn_ms;
    size_t shown_columns; /* of the line that is on the terminal; 0: there is none */
} progress;

void progress_begin(size_t file_count)
{
    if (console_error_columns() == 0)
        return;
    progress.done_count = progress.shown_columns = 0;
    progress.file_count = file_count;
    progress.begun_ms = console_milliseconds();
    progress.drawn_ms = progress.begun_ms + FIRST_LINE_MS - NEXT_LINE_MS;
    progress.meeting = meeting_new();
}

static void name_duration(char name[DURATION_NBYTES], uint64_t seconds)
{
    unsigned long long hours = seconds / 3600, minutes = seconds / 60 % 60, rest = seconds % 60;
    if (hours != 0)
        snprintf(name, DURATION_NBYTES, "%llu h %llu min", hours, minutes);
    else if (minutes != 0)
        snprintf(name, DURATION_NBYTES, "%llu min %llu s", minutes, rest);
    else
        snprintf(name, DURATION_NBYTES, "%llu s", rest);
}

/* Over what was there; no longer than the terminal is wide, so that it stays one line. */
static void put_line(const char *line, size_t columns)
{
    char text[2 * LINE_NBYTES + 2] = "\r";
    size_t nbytes = 1;
    memcpy(text + nbytes, line, columns);
    nbytes += columns;
    for (size_t column = columns; column < progress.shown_columns; column++)
        text[nbytes++] = ' ';
    if (columns == 0)
        text[nbytes++] = '\r';
    console_write(stderr, text, nbytes);
    fflush(stderr);
    progress.shown_columns = columns;
}

static void draw(uint64_t now_ms)
{
    char line[LINE_NBYTES], left[DURATION_NBYTES];
    uint64_t elapsed_ms = now_ms - progress.begun_ms, done = progress.done_count;
    name_duration(left, (progress.file_count - done) * elapsed_ms / done / MS_PER_SECOND + 1);
    int length =
        snprintf(line, sizeof line, "hvcifix: %zu of %zu files, %llu files/s, %s left", progress.done_count,
                 progress.file_count, (unsigned long long)(done * MS_PER_SECOND / elapsed_ms), left);
    size_t columns = length > 0 ? (size_t)length : 0, most = console_error_columns();
    if (columns >= most)
        columns = most != 0 ? most - 1 : 0;
    put_line(line, columns);
}

void progress_step(void)
{
    if (!progress.meeting)
        return;
    meeting_enter(progress.meeting);
    progress.done_count++;
    uint64_t now_ms = console_milliseconds();
    if (now_ms >= progress.drawn_ms + NEXT_LINE_MS && progress.done_count < progress.file_count) {
        draw(now_ms);
        progress.drawn_ms = now_ms;
    }
    meeting_leave(progress.meeting);
}

void progress_hide(void)
{
    if (!progress.meeting)
        return;
    meeting_enter(progress.meeting);
    if (progress.shown_columns != 0)
        put_line("", 0);
}

void progress_show(void)
{
    if (progress.meeting)
        meeting_leave(progress.meeting);
}

void progress_end(void)
{
    progress_hide();
    progress_show();
    if (progress.meeting)
        meeting_free(progress.meeting);
    progress.meeting = NULL;
}
