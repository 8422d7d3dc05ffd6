/* console_posix.c - console.h on POSIX systems, and main().
 * Takes: argv as the shell gives it.  Gives: the exit code.  Must not: know verbs. */
#define _XOPEN_SOURCE 700 /* SIGXFSZ */
#include "cli/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

FILE *console_open_report(const char *path)
{
    return fopen(path, "wb");
}

void console_remove_report(const char *path)
{
    char *file = realpath(path, NULL); /* a link that the user made stays */
    if (file)
        (void)unlink(file);
    free(file);
}

bool console_write(FILE *stream, const char *chars, size_t nbytes)
{
    return fwrite(chars, 1, nbytes, stream) == nbytes;
}

bool console_shows_color(void)
{
    return isatty(STDOUT_FILENO) != 0;
}

const char *console_path(const char *argument, struct arena *arena)
{
    (void)arena;
    return argument;
}

bool console_names_hold_quotes(void)
{
    return true;
}

/* A file that is opened must never get the number of standard output or standard error, or reports would be
 * written into it. What the caller has closed is opened the wrong way round, so that using it still fails. */
static void occupy_standard_streams(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0)
            (void)open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    /* A reader that goes away and a limit on the size of files must be seen as failed writes (exit 4), not
     * kill the program in the middle, with a temporary file left behind. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    occupy_standard_streams();
    return cli_main(argc, argv);
}
