/* faults_windows.c - hvcifix.exe with chosen calls to Windows that fail or come short, many runs in one
 * process. Takes: HVCIFIX_FAULTS, a file with a run a line: FAULTS, FOLDER, OUTPUT and the arguments, between
 * tabs. Gives: each run's output in OUTPUT.out and OUTPUT.err; in HVCIFIX_FAULTS.log a line a run: its exit
 * code, how many faults came, milliseconds slept, blocks of memory and handles left over, and calls of each
 * name. Must not: fail anything outside of a run. It is linked over the program's own imports (ld --wrap).
 *
 * FAULTS is empty or NAME:NUMBER:WHAT, several joined with "+". NAME is one of the names below. NUMBER is
 * that of the call among calls of the name, from 1; "7-" means the seventh and all after it. WHAT is a code
 * for GetLastError(): the call is not made; or "one", "half", "end": a read or write takes one byte, half, or
 * none; or "wrong": a read gives a wrong byte; or "link": the file has a reparse point; or "lost": a rename
 * deletes its target and then fails, as on FAT. Sleep() returns at once. */
#include "faults_windows.h"

#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const char *const names[] = {
#define X(name) #name,
    NAMES(X)
#undef X
};

enum { MOST_FAULTS = 4, MOST_ARGUMENTS = 32 };

struct fault {
    enum name name;
    long first, last;
    int what; /* a code above 0, or one of the words */
};

static struct fault faults[MOST_FAULTS];
static unsigned fault_count;
bool is_running;
volatile LONG slept_ms, live_blocks, live_handles;
static volatile LONG counts[NAME_COUNT], fired_count;

int meet(enum name name)
{
    if (!is_running)
        return NOTHING;
    long number = InterlockedIncrement(&counts[name]);
    for (unsigned i = 0; i < fault_count; i++) {
        if (faults[i].name != name || number < faults[i].first || number > faults[i].last)
            continue;
        InterlockedIncrement(&fired_count);
        if (faults[i].what > 0)
            SetLastError((DWORD)faults[i].what);
        return faults[i].what;
    }
    return NOTHING;
}

int __real_wmain(int argc, wchar_t **argv);
int __wrap_wmain(int argc, wchar_t **argv);

static void quit(const char *message)
{
    fputs(message, stderr);
    exit(98);
}

static void read_fault(const char *text, struct fault *fault)
{
    const char *number = strchr(text, ':'), *what = number ? strchr(number + 1, ':') : NULL;
    if (!what)
        quit("faults: a fault is NAME:NUMBER:WHAT\n");
    fault->name = NAME_COUNT;
    for (int i = 0; i < NAME_COUNT; i++)
        if (strlen(names[i]) == (size_t)(number - text) && memcmp(names[i], text, strlen(names[i])) == 0)
            fault->name = (enum name)i;
    fault->first = strtol(number + 1, NULL, 10);
    fault->last = what[-1] == '-' ? LONG_MAX : fault->first;
    what++;
    fault->what = strncmp(what, "one", 3) == 0     ? ONE
                  : strncmp(what, "half", 4) == 0  ? HALF
                  : strncmp(what, "end", 3) == 0   ? END
                  : strncmp(what, "link", 4) == 0  ? LINK
                  : strncmp(what, "lost", 4) == 0  ? LOST
                  : strncmp(what, "wrong", 5) == 0 ? WRONG
                                                   : atoi(what);
    if (fault->name == NAME_COUNT || fault->first < 1 || fault->what == 0)
        quit("faults: unknown name, number or code\n");
}

static void read_faults(const char *text)
{
    for (fault_count = 0; text && *text; fault_count++) {
        if (fault_count == MOST_FAULTS)
            quit("faults: too many at a time\n");
        read_fault(text, &faults[fault_count]);
        text = strchr(text, '+');
        text += text != NULL;
    }
}

static wchar_t *wide(const char *utf8)
{
    int count = MultiByteToWideChar(CP_UTF8, 0, utf8, -1, NULL, 0);
    wchar_t *text = __real_malloc((size_t)count * sizeof *text);
    if (!text)
        quit("faults: no memory\n");
    MultiByteToWideChar(CP_UTF8, 0, utf8, -1, text, count);
    return text;
}

/* Lets the descriptor of a stream lead to a new file. */
static void redirect(FILE *stream, int descriptor, const char *path, const char *suffix)
{
    char name[1024];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    wchar_t *wide_name = wide(name);
    __real_fflush(stream);
    clearerr(stream);
    int file = _wopen(wide_name, _O_WRONLY | _O_CREAT | _O_TRUNC | _O_BINARY, 0600);
    __real_free(wide_name);
    if (file < 0 || _dup2(file, descriptor) != 0)
        quit("faults: no file for the output\n");
    _close(file);
}

static void run_line(char *line, wchar_t *program, FILE *log)
{
    wchar_t *argv[MOST_ARGUMENTS] = {program};
    char *fields[MOST_ARGUMENTS + 3];
    int field_count = 0;
    for (char *at = line; at && field_count < MOST_ARGUMENTS; field_count++) {
        fields[field_count] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = 0;
    }
    if (field_count < 4)
        quit("faults: a line is too short\n");
    wchar_t *folder = wide(fields[1]);
    if (!SetCurrentDirectoryW(folder))
        quit("faults: a folder is missing\n");
    __real_free(folder);
    redirect(stdout, 1, fields[2], ".out");
    redirect(stderr, 2, fields[2], ".err");
    int argc = 1;
    for (int i = 3; i < field_count; i++)
        argv[argc++] = wide(fields[i]);
    read_faults(fields[0]);
    memset((void *)(uintptr_t)counts, 0, sizeof counts);
    fired_count = slept_ms = 0;
    LONG blocks = live_blocks, handles = live_handles;
    is_running = true;
    int exit_code = __real_wmain(argc, argv);
    is_running = false;
    __real_fflush(stdout);
    fprintf(log, "%d %ld %ld %ld %ld", exit_code, fired_count, slept_ms, live_blocks - blocks,
            live_handles - handles);
    for (int i = 0; i < NAME_COUNT; i++)
        fprintf(log, " %s=%ld", names[i], counts[i]);
    fputs("\n", log);
    __real_fflush(log);
    for (int i = 1; i < argc; i++)
        __real_free(argv[i]);
}

int __wrap_wmain(int argc, wchar_t **argv)
{
    const char *script_path = getenv("HVCIFIX_FAULTS");
    if (!script_path || !*script_path)
        return __real_wmain(argc, argv);
    char log_path[1024], line[8192];
    snprintf(log_path, sizeof log_path, "%s.log", script_path);
    FILE *script = fopen(script_path, "rb"), *log = fopen(log_path, "ab");
    if (!script || !log)
        quit("faults: no script or no log\n");
    while (fgets(line, sizeof line, script)) {
        line[strcspn(line, "\r\n")] = 0;
        run_line(line, argv[0], log);
    }
    fclose(script);
    fclose(log);
    return 0;
}
