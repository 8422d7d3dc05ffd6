/* console.h - what differs between systems at the edge of the program: arguments, terminal, report files.
 * Takes: UTF-8.  Gives: streams, paths and facts.  Must not: be used outside tool/cli.
 * console_posix.c and console_windows.c implement it and hold main() and wmain(). */
#ifndef HVCIFIX_CLI_CONSOLE_H
#define HVCIFIX_CLI_CONSOLE_H

#include "base/arena.h"

#include <stdio.h>

/* The program proper (main.c). argv is UTF-8. */
int cli_main(int argc, char **argv);

/* A stream that writes bytes as they are; NULL when the file cannot be opened. */
FILE *console_open_report(const char *path);

/* Removes the file that console_open_report() has just made. */
void console_remove_report(const char *path);

/* Writes to the stream; false when that failed, and then ferror() holds for the stream. Bytes go to files and
 * pipes as they are. A console of Windows gets characters, whatever its code page, which stays as it is. */
bool console_write(FILE *stream, const char *chars, size_t nbytes);

/* printf to standard error, written in the same way. */
void console_complain(const char *format, ...) HVCIFIX_PRINTF(1, 2);

/* Does standard output show ANSI colours? On Windows: a console that has just been told to. */
bool console_shows_color(void);

bool console_is_terminal(FILE *stream);

/* How wide is the terminal behind standard error? 0 when it is none, or one that cannot write a line over
 * itself. */
size_t console_error_columns(void);

/* Goes on steadily from some beginning. */
uint64_t console_milliseconds(void);

/* The form in which a path that the user gave is used and shown; NULL when memory ran out. Only Windows has
 * several forms of one path (io/wide.h). */
const char *console_path(const char *argument, struct arena *arena);

/* May the name of a file hold a quote? */
bool console_names_hold_quotes(void);

#endif
