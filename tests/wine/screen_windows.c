/* screen_windows.c - runs a program in this program's console and says what can be seen there afterwards.
 *   screen RESULT CODEPAGE COMMAND...
 * Sets the console's code page first, and empties the screen. RESULT is a new file in UTF-16LE: "code pages:
 * N..." and "modes: N..." of the console's output, before, while and after the program ran, each only where
 * it changed; then "exit: CODE", "screen:" and the lines of the screen. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

enum { WIDTH = 200, HEIGHT = 300, MOST_CHANGES = 20 };

/* A number as it was seen to change. */
struct changes {
    DWORD values[MOST_CHANGES];
    int count;
};

static void note(struct changes *changes, DWORD value)
{
    if (changes->count < MOST_CHANGES &&
        (changes->count == 0 || changes->values[changes->count - 1] != value))
        changes->values[changes->count++] = value;
}

static void put_text(FILE *file, const wchar_t *format, ...)
{
    static wchar_t text[256];
    va_list arguments;
    va_start(arguments, format);
    int count = vswprintf(text, sizeof text / sizeof *text, format, arguments);
    va_end(arguments);
    fwrite(text, sizeof *text, (size_t)count, file);
}

static void put_changes(FILE *file, const wchar_t *name, const struct changes *changes)
{
    put_text(file, L"%ls:", name);
    for (int i = 0; i < changes->count; i++)
        put_text(file, L" %lu", changes->values[i]);
    put_text(file, L"\n");
}

/* The rows above the cursor, without blanks at their ends. */
static void put_screen(FILE *file, HANDLE console)
{
    static wchar_t row[WIDTH + 1];
    CONSOLE_SCREEN_BUFFER_INFO info;
    GetConsoleScreenBufferInfo(console, &info);
    for (SHORT y = 0; y < info.dwCursorPosition.Y; y++) {
        DWORD count = 0;
        ReadConsoleOutputCharacterW(console, row, (DWORD)info.dwSize.X, (COORD){0, y}, &count);
        while (count != 0 && row[count - 1] == L' ')
            count--;
        row[count++] = L'\n';
        fwrite(row, sizeof *row, count, file);
    }
}

/* The command line behind the first words, as it was given. */
static wchar_t *rest_of_line(int words)
{
    wchar_t *at = GetCommandLineW();
    for (int i = 0; i < words; i++) {
        int quoted = 0;
        for (; *at && (quoted || *at != L' '); at++)
            quoted ^= *at == L'"';
        while (*at == L' ')
            at++;
    }
    return at;
}

/* Ctrl-C is for the program that runs. A handler is not handed on to it, as it would be to ignore Ctrl-C. */
static BOOL WINAPI outlive(DWORD event)
{
    return event == CTRL_C_EVENT;
}

int wmain(int argc, wchar_t **argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **argv)
{
    if (argc < 4)
        return 2;
    FILE *result = _wfopen(argv[1], L"wb");
    HANDLE console = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD mode, filled;
    if (!result || !GetConsoleMode(console, &mode))
        return 3;
    SetConsoleScreenBufferSize(console, (COORD){WIDTH, HEIGHT});
    FillConsoleOutputCharacterW(console, L' ', WIDTH * HEIGHT, (COORD){0, 0}, &filled);
    SetConsoleCursorPosition(console, (COORD){0, 0});
    SetConsoleOutputCP((UINT)wcstoul(argv[2], NULL, 10));
    SetConsoleCP((UINT)wcstoul(argv[2], NULL, 10));

    SetConsoleCtrlHandler(outlive, TRUE);
    struct changes code_pages = {0}, modes = {0};
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    note(&code_pages, GetConsoleOutputCP());
    note(&modes, mode);
    if (!CreateProcessW(NULL, rest_of_line(3), NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return 4;
    for (DWORD wait = WAIT_TIMEOUT; wait == WAIT_TIMEOUT;) {
        wait = WaitForSingleObject(process.hProcess, 1);
        note(&code_pages, GetConsoleOutputCP());
        if (GetConsoleMode(console, &mode))
            note(&modes, mode);
    }
    DWORD exit_code = 0;
    GetExitCodeProcess(process.hProcess, &exit_code);
    put_changes(result, L"code pages", &code_pages);
    put_changes(result, L"modes", &modes);
    put_text(result, L"exit: %lu\nscreen:\n", exit_code);
    put_screen(result, console);
    return fclose(result);
}
