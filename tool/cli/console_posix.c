/* console_posix.c - console.h on POSIX systems, and main().
 * Takes: argv as the shell gives it.  Gives: the exit code.  Must not: know verbs. */
#define _POSIX_C_SOURCE 200809L
#include "cli/console.h"

#include <signal.h>
#include <unistd.h>

FILE *console_open_report(const char *path)
{
    return fopen(path, "wb");
}

bool console_shows_color(void)
{
    return isatty(STDOUT_FILENO) != 0;
}

int main(int argc, char **argv)
{
    /* A reader that goes away must be seen as a failed write (exit 4), not kill the program in the middle. */
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv);
}
