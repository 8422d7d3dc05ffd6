/* console_posix.c - console.h on POSIX systems, and main().
 * Takes: argv as the shell gives it.  Gives: the exit code.  Must not: know verbs. */
#define _XOPEN_SOURCE 700 /* SIGXFSZ */
#define _DEFAULT_SOURCE   /* TIOCGWINSZ */
#include "cli/console.h"
#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

FILE *console_open_report(const char *path)
{
    return fopen(path, "wb");
}

void console_remove_report(const char *path)
{
    char *file = realpath(path, NULL); /* a link that the user made stays */
    struct stat status;
    if (file && stat(file, &status) == 0 && S_ISREG(status.st_mode)) /* and so does a device */
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

bool console_is_terminal(FILE *stream)
{
    int descriptor = fileno(stream);
    return descriptor >= 0 && isatty(descriptor);
}

size_t console_error_columns(void)
{
    enum { USUAL_COLUMNS = 80 };
    const char *kind = getenv("TERM");
    struct winsize size;
    if (!isatty(STDERR_FILENO) || !kind || !*kind || strcmp(kind, "dumb") == 0)
        return 0;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : USUAL_COLUMNS;
}

uint64_t console_milliseconds(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
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
    int exit_code = cli_main(argc, argv);
    interrupt_pass_on();
    return exit_code;
}
