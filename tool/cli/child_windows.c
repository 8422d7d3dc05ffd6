/* child_windows.c - child.h on Windows.
 * Takes: words.  Gives: an end.  Must not: judge anything. */
#include "cli/child.h"

#include "base/text.h"
#include "io/wide.h"

#include <string.h>

static bool is_blank(wchar_t c)
{
    return c == L' ' || c == L'\t';
}

/* Behind the argument that begins at `at`, as CommandLineToArgvW reads it. In a program's name a backslash
 * means nothing. */
static const wchar_t *behind_argument(const wchar_t *at, bool is_program)
{
    bool is_quoted = false;
    size_t backslash_count = 0;
    for (; *at && (is_quoted || !is_blank(*at)); at++) {
        if (*at == L'"' && (is_program || backslash_count % 2 == 0))
            is_quoted = !is_quoted; /* "" inside a quotation leaves it as it was */
        backslash_count = *at == L'\\' ? backslash_count + 1 : 0;
    }
    return at;
}

/* What stands behind the first -- of the line; NULL when there is none. *follows_file: a response file of
 * ours stands in front of it. */
static const wchar_t *behind_dashes(const wchar_t *line, bool *follows_file)
{
    const wchar_t *at = behind_argument(line, true);
    *follows_file = false;
    for (;;) {
        while (is_blank(*at))
            at++;
        if (!*at)
            return NULL;
        const wchar_t *end = behind_argument(at, false);
        *follows_file = *follows_file || at[0] == L'@' || (at[0] == L'"' && at[1] == L'@');
        bool is_dashes = end - at == 2 && at[0] == L'-' && at[1] == L'-';
        at = end;
        while (is_blank(*at))
            at++;
        if (is_dashes)
            return at;
    }
}

/* The linker reads its words by itself, so those of the command line are read in its way, not in the one that
 * our own arguments may need (split.h). */
bool child_words(const char *const *words, size_t count, struct argument_list *list)
{
    bool follows_file;
    const wchar_t *tail = behind_dashes(GetCommandLineW(), &follows_file);
    const char *line = tail ? wide_to_utf8(tail, list->arena) : NULL;
    if (tail && (!line || split_arguments(list, line, strlen(line), true) == SPLIT_NO_MEMORY))
        return false;
    if (tail && (!follows_file || list->count == count))
        return true;
    /* They came from a response file of ours. */
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        char *word = arena_copy_text(list->arena, words[i], strlen(words[i]));
        if (!word || !argument_add(list, word))
            return false;
    }
    return true;
}

static void add_backslashes(struct text *line, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_add(line, "\\", 1);
}

/* The word so that CommandLineToArgvW reads it back. */
static void add_quoted(struct text *line, const char *word)
{
    if (line->nbytes != 0)
        text_add(line, " ", 1);
    if (*word && !strpbrk(word, " \t\n\v\"")) {
        text_addz(line, word);
        return;
    }
    text_add(line, "\"", 1);
    size_t backslash_count = 0;
    for (; *word; word++) {
        if (*word == '"')
            add_backslashes(line, backslash_count + 1);
        backslash_count = *word == '\\' ? backslash_count + 1 : 0;
        text_add(line, word, 1);
    }
    add_backslashes(line, backslash_count);
    text_add(line, "\"", 1);
}

/* The command line of the child, which CreateProcessW may write to. NULL when memory ran out. */
static wchar_t *command_line(const struct argument_list *list)
{
    bool follows_file;
    const wchar_t *tail = behind_dashes(GetCommandLineW(), &follows_file);
    const char *utf8 = tail ? wide_to_utf8(tail, list->arena) : NULL;
    struct argument_list again = {.arena = list->arena};
    bool is_ours = utf8 && split_arguments(&again, utf8, strlen(utf8), true) != SPLIT_NO_MEMORY &&
                   again.count == list->count;
    for (size_t i = 0; is_ours && i < again.count; i++)
        is_ours = strcmp(again.items[i], list->items[i]) == 0;
    if (is_ours) {
        size_t count = wcslen(tail) + 1;
        wchar_t *copy = arena_array(list->arena, count, sizeof *copy);
        return copy ? memcpy(copy, tail, count * sizeof *copy) : NULL;
    }
    struct text line = {.arena = list->arena};
    for (size_t i = 0; i < list->count; i++)
        add_quoted(&line, list->items[i]);
    return list->arena->exhausted ? NULL : wide_from_utf8(line.chars, list->arena);
}

/* The file that the name leads to, so that a path with blanks is not read as a shorter one. NULL: none. */
static const wchar_t *find_program(const char *name, struct arena *arena)
{
    const wchar_t *wide = wide_from_utf8(name, arena);
    DWORD count = wide ? SearchPathW(NULL, wide, L".exe", 0, NULL, NULL) : 0;
    wchar_t *found = count ? arena_array(arena, count, sizeof *found) : NULL;
    DWORD length = found ? SearchPathW(NULL, wide, L".exe", count, found, NULL) : 0;
    return length != 0 && length < count ? found : NULL;
}

static HANDLE inheritable(DWORD which)
{
    HANDLE handle = GetStdHandle(which);
    if (handle && handle != INVALID_HANDLE_VALUE)
        (void)SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    return handle;
}

static volatile LONG end_is_asked;

/* The console tells all its programs of Ctrl-C: the child ends by it, and then we do. */
static BOOL WINAPI let_child_end(DWORD event)
{
    InterlockedExchange(&end_is_asked, 1);
    return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

enum child_end child_run(const struct argument_list *list, bool is_aside, int *exit_code, const char **reason)
{
    const wchar_t *program = find_program(list->items[0], list->arena);
    wchar_t *line = command_line(list);
    *reason = list->arena->exhausted ? "there was not enough memory" : "there is no program of this name";
    if (!program || !line)
        return CHILD_NOT_STARTED;
    STARTUPINFOW startup = {
        .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = inheritable(STD_INPUT_HANDLE),
        .hStdOutput = inheritable(is_aside ? STD_ERROR_HANDLE : STD_OUTPUT_HANDLE),
        .hStdError = inheritable(STD_ERROR_HANDLE),
    };
    PROCESS_INFORMATION child;
    (void)SetConsoleCtrlHandler(let_child_end, TRUE);
    DWORD code = 0;
    bool is_started = CreateProcessW(program, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child);
    DWORD error = is_started ? 0 : GetLastError();
    if (is_started) {
        (void)WaitForSingleObject(child.hProcess, INFINITE);
        if (!GetExitCodeProcess(child.hProcess, &code))
            code = 1;
        CloseHandle(child.hThread);
        CloseHandle(child.hProcess);
    }
    (void)SetConsoleCtrlHandler(let_child_end, FALSE);
    if (!is_started) {
        *reason = error == ERROR_BAD_EXE_FORMAT         ? "it is no program for this system"
                  : error == ERROR_ACCESS_DENIED        ? "it may not be run"
                  : error == ERROR_FILENAME_EXCED_RANGE ? "its command line is too long"
                                                        : "the system refused";
        return CHILD_NOT_STARTED;
    }
    /* One that has ended well nevertheless: we do as we are asked. */
    *exit_code = code == 0 && end_is_asked ? (int)STATUS_CONTROL_C_EXIT : (int)code;
    return CHILD_ENDED;
}

int child_end_alike(int signal_number)
{
    return signal_number; /* there are no signals */
}

const char *child_environment(const char *name, struct arena *arena)
{
    wchar_t *wide_name = wide_from_utf8(name, arena);
    DWORD count = wide_name ? GetEnvironmentVariableW(wide_name, NULL, 0) : 0;
    wchar_t *value = count ? arena_array(arena, count, sizeof *value) : NULL;
    DWORD length = value ? GetEnvironmentVariableW(wide_name, value, count) : 0;
    return value && length < count ? wide_to_utf8(value, arena) : NULL;
}
