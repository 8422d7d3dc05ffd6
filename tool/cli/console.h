/* console.h - what differs between systems at the edge of the program: arguments, terminal, report files.
 * Takes: UTF-8 paths.  Gives: streams and facts.  Must not: be used outside tool/cli.
 * console_posix.c and console_windows.c implement it and hold main() and wmain(). */
#ifndef HVCIFIX_CLI_CONSOLE_H
#define HVCIFIX_CLI_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

/* The program proper (main.c). argv is UTF-8. */
int cli_main(int argc, char **argv);

/* A stream that writes bytes as they are; NULL when the file cannot be opened. */
FILE *console_open_report(const char *path);

/* Is standard output a terminal that shows ANSI colours? */
bool console_shows_color(void);

#endif
