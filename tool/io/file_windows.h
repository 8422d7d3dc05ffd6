/* file_windows.h - what reading and replacing files on Windows share.
 * Takes: paths for the wide file functions, and as the user wrote them, for messages.  Gives: handles, bytes,
 * findings.  Must not: be used outside *_windows.c of this folder. */
#ifndef HVCIFIX_IO_FILE_WINDOWS_H
#define HVCIFIX_IO_FILE_WINDOWS_H

#include "io/file.h"
#include "io/wide.h"

/* "DOING "PATH" failed: ..." for a code of GetLastError(). */
struct finding windows_finding(struct arena *arena, enum finding_code code, const char *doing,
                               const char *path, DWORD system_error);

/* Why wide_file_path() gave NULL. */
static inline DWORD windows_name_error(const struct arena *arena)
{
    return arena->exhausted ? ERROR_NOT_ENOUGH_MEMORY : GetLastError();
}

/* May it be different in a moment? */
bool windows_is_worth_waiting(DWORD system_error, bool is_writing);

/* Begins as {0}. Sleeps before the next try; false when patience has run out. */
struct windows_patience {
    DWORD pause_ms, waited_ms;
};
bool windows_pause(struct windows_patience *patience);

/* INVALID_HANDLE_VALUE with GetLastError() set. Waits for who holds the file. */
HANDLE windows_open_to_read(const wchar_t *path);

/* For questions about a file or folder only; INVALID_HANDLE_VALUE with GetLastError() set. */
HANDLE windows_open_to_ask(const wchar_t *path);

struct file_state windows_state(const BY_HANDLE_FILE_INFORMATION *found);

/* The file that a symbolic link leads to, in the prefixed form. NULL with GetLastError() set. */
const wchar_t *windows_follow_link(const wchar_t *path, struct arena *arena);

/* file_read() of `wide_path`; messages name `path`. */
bool windows_read(const wchar_t *wide_path, const char *path, struct arena *arena,
                  struct file_content *content, struct finding *error);

#endif
