/* console_windows.c - console.h on Windows, and wmain().
 * Takes: UTF-16 arguments.  Gives: the exit code.  Must not: know verbs.
 * Inside everything is UTF-8. A console is written to in UTF-16; pipes and files get UTF-8. The code page of
 * the console is left alone: other programs use the same console at the same time. */
#include "cli/console.h"

#include "base/utf16.h"
#include "cli/interrupt.h"
#include "cli/split.h"
#include "io/wide.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

/* Older consoles take less than 64 KiB in one call. */
enum { CONSOLE_UNITS_PER_CALL = 8000 };

static HANDLE color_console; /* where colours were switched on, and are switched off at the end; else NULL */
static DWORD color_console_mode;

FILE *console_open_report(const char *path)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const wchar_t *wide_path = wide_file_path(path, &arena);
    FILE *stream = wide_path ? _wfopen(wide_path, L"wb") : NULL;
    arena_free(&arena);
    return stream;
}

void console_remove_report(const char *path)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const wchar_t *wide_path = wide_file_path(path, &arena);
    if (wide_path)
        DeleteFileW(wide_path);
    arena_free(&arena);
}

/* The console behind a stream; NULL when it is something else. */
static HANDLE console_of(FILE *stream)
{
    int descriptor = _fileno(stream);
    HANDLE handle = descriptor >= 0 ? (HANDLE)_get_osfhandle(descriptor) : INVALID_HANDLE_VALUE;
    DWORD mode;
    return handle != INVALID_HANDLE_VALUE && GetConsoleMode(handle, &mode) ? handle : NULL;
}

static bool write_units(HANDLE console, const uint16_t *units, size_t unit_count)
{
    while (unit_count != 0) {
        DWORD count = unit_count < CONSOLE_UNITS_PER_CALL ? (DWORD)unit_count : CONSOLE_UNITS_PER_CALL;
        if (count < unit_count && (units[count - 1] & 0xFC00) == 0xD800)
            count--; /* a pair stays together */
        DWORD written_count = 0;
        if (!WriteConsoleW(console, units, count, &written_count, NULL) || written_count == 0)
            return false;
        units += written_count;
        unit_count -= written_count;
    }
    return true;
}

bool console_write(FILE *stream, const char *chars, size_t nbytes)
{
    HANDLE console = console_of(stream);
    if (!console)
        return fwrite(chars, 1, nbytes, stream) == nbytes;
    struct arena arena;
    arena_init(&arena, NULL);
    size_t unit_count;
    const uint16_t *units = utf16_from_utf8(chars, nbytes, &arena, &unit_count);
    bool done = units && write_units(console, units, unit_count);
    arena_free(&arena);
    /* What failed is tried as bytes, so that a failure that stays is seen as one of the stream. */
    return done || fwrite(chars, 1, nbytes, stream) == nbytes;
}

/* Asks the console of standard output for colours; one that cannot show them refuses. */
static void switch_colors_on(void)
{
    HANDLE console = console_of(stdout);
    DWORD mode;
    if (!console || !GetConsoleMode(console, &mode))
        return;
    DWORD wanted = mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING;
    if (SetConsoleMode(console, wanted)) {
        color_console = console;
        color_console_mode = mode;
    }
}

static void switch_colors_off(void)
{
    if (color_console)
        SetConsoleMode(color_console, color_console_mode);
}

bool console_shows_color(void)
{
    return color_console != NULL;
}

bool console_is_terminal(FILE *stream)
{
    return console_of(stream) != NULL;
}

size_t console_error_columns(void)
{
    HANDLE console = console_of(stderr);
    CONSOLE_SCREEN_BUFFER_INFO info;
    return console && GetConsoleScreenBufferInfo(console, &info) && info.dwSize.X > 0 ? (size_t)info.dwSize.X
                                                                                      : 0;
}

uint64_t console_milliseconds(void)
{
    return GetTickCount64();
}

const char *console_path(const char *argument, struct arena *arena)
{
    return wide_tidy_path(argument, arena);
}

bool console_names_hold_quotes(void)
{
    return false;
}

/* The arguments in UTF-8. Those that the start-up code made of the command line are as CommandLineToArgvW
 * reads it; one that holds a quote calls for another reading (split.h). */
static bool take_arguments(struct argument_list *list, int argc, wchar_t **wide_argv)
{
    bool has_quote = false;
    for (int i = 0; i < argc; i++) {
        char *argument = wide_to_utf8(wide_argv[i], list->arena);
        if (!argument || !argument_add(list, argument))
            return false;
        has_quote = has_quote || strchr(argument, '"') != NULL;
    }
    if (!has_quote)
        return true;
    list->count = 0;
    const char *line = wide_to_utf8(GetCommandLineW(), list->arena);
    return line && split_arguments(list, line, strlen(line), false) != SPLIT_NO_MEMORY;
}

int wmain(int argc, wchar_t **wide_argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **wide_argv)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct argument_list list = {.arena = &arena};
    /* Lists and reports are the same bytes on every system: no translation of line ends. */
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    if (!take_arguments(&list, argc, wide_argv)) {
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the command line.\n");
        arena_free(&arena);
        return 3;
    }
    switch_colors_on();
    int exit_code = cli_main((int)list.count, list.items);
    switch_colors_off();
    interrupt_pass_on();
    arena_free(&arena);
    return exit_code;
}
