/* launch_windows.c - starts a program with a command line that no quoting touches: launch FILE [pipe], where
 * FILE holds the whole line in UTF-16LE. Gives the program's exit code. Its output goes where this program's
 * goes; with "pipe", through a pipe of Windows first. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

static void pass_on(HANDLE from)
{
    static char bytes[4096];
    DWORD got_nbytes, put_nbytes;
    while (ReadFile(from, bytes, sizeof bytes, &got_nbytes, NULL) && got_nbytes != 0)
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), bytes, got_nbytes, &put_nbytes, NULL);
}

int wmain(int argc, wchar_t **argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **argv)
{
    static wchar_t line[32768];
    FILE *file = argc >= 2 ? _wfopen(argv[1], L"rb") : NULL;
    if (!file)
        return 200;
    size_t count = fread(line, sizeof *line, sizeof line / sizeof *line - 1, file);
    fclose(file);
    line[count] = 0;
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE read_end = NULL, write_end = NULL;
    if (argc > 2 && (!CreatePipe(&read_end, &write_end, &inherited, 0) ||
                     !SetHandleInformation(read_end, HANDLE_FLAG_INHERIT, 0)))
        return 203;
    STARTUPINFOW start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = write_end ? write_end : GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    PROCESS_INFORMATION process;
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return 201;
    DWORD exit_code = 202;
    if (write_end) {
        CloseHandle(write_end);
        pass_on(read_end);
    }
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &exit_code);
    return (int)exit_code;
}
