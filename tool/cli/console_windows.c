/* console_windows.c - console.h on Windows, and wmain().
 * Takes: UTF-16 arguments.  Gives: the exit code.  Must not: know verbs.
 * Inside everything is UTF-8; the console is switched to it while the program runs, pipes and files get
 * UTF-8. */
#include "cli/console.h"

#include "io/wide.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>

FILE *console_open_report(const char *path)
{
    struct arena arena;
    arena_init(&arena, NULL);
    const wchar_t *wide_path = wide_file_path(path, &arena);
    FILE *stream = wide_path ? _wfopen(wide_path, L"wb") : NULL;
    arena_free(&arena);
    return stream;
}

bool console_shows_color(void)
{
    HANDLE console = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD mode;
    return GetConsoleMode(console, &mode) &&
           SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

int wmain(int argc, wchar_t **wide_argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **wide_argv)
{
    struct arena arena;
    arena_init(&arena, NULL);
    char **argv = arena_array(&arena, (size_t)argc + 1, sizeof *argv);
    for (int i = 0; argv && i < argc; i++) {
        argv[i] = wide_to_utf8(wide_argv[i], &arena);
        if (!argv[i])
            argv = NULL;
    }
    if (!argv) {
        arena_free(&arena);
        return 3;
    }
    /* Reports are the same bytes on every system: no translation of line ends. */
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    UINT code_page = GetConsoleOutputCP();
    SetConsoleOutputCP(CP_UTF8);
    int exit_code = cli_main(argc, argv);
    if (code_page != 0)
        SetConsoleOutputCP(code_page);
    arena_free(&arena);
    return exit_code;
}
