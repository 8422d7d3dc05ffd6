/* faults_imports_windows.c - what stands before the imports of hvcifix.exe and before its C library (ld
 * --wrap). Takes: calls of the program.  Gives: what the system gives, but for the chosen ones. Must not:
 * touch a call that is not chosen. */
#include "faults_windows.h"

#include <stdlib.h>
#include <wchar.h>

#include <aclapi.h>

static DWORD cut(int what, DWORD nbytes)
{
    return what == ONE && nbytes > 1 ? 1 : what == HALF && nbytes > 1 ? nbytes / 2 : what == END ? 0 : nbytes;
}

/* The import that the program calls is __wrap___imp_NAME; the system's own is __real___imp_NAME. */
#define IMPORT(result, name, parameters)                                                                     \
    typedef result(WINAPI *name##_fn) parameters;                                                            \
    extern name##_fn __real___imp_##name;                                                                    \
    static result WINAPI faulty_##name parameters;                                                           \
    extern name##_fn __wrap___imp_##name;                                                                    \
    name##_fn __wrap___imp_##name = faulty_##name;                                                           \
    static result WINAPI faulty_##name parameters

#define CALL(name) __real___imp_##name

IMPORT(HANDLE, CreateFileW,
       (LPCWSTR path, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD how, DWORD flags,
        HANDLE pattern))
{
    if (meet(NAME_create) != NOTHING)
        return INVALID_HANDLE_VALUE;
    HANDLE file = CALL(CreateFileW)(path, access, share, security, how, flags, pattern);
    if (file != INVALID_HANDLE_VALUE)
        InterlockedIncrement(&live_handles);
    return file;
}

IMPORT(BOOL, CloseHandle, (HANDLE handle))
{
    int what = meet(NAME_close);
    InterlockedDecrement(&live_handles);
    BOOL done = CALL(CloseHandle)(handle);
    if (what > 0)
        SetLastError((DWORD)what);
    return done && what == NOTHING;
}

IMPORT(BOOL, ReadFile, (HANDLE file, LPVOID buffer, DWORD nbytes, LPDWORD done_nbytes, LPOVERLAPPED at))
{
    int what = meet(NAME_read);
    if (what > 0)
        return FALSE;
    if (what == END) {
        *done_nbytes = 0;
        return TRUE;
    }
    BOOL done = CALL(ReadFile)(file, buffer, cut(what, nbytes), done_nbytes, at);
    if (what == WRONG && done && *done_nbytes != 0)
        ((unsigned char *)buffer)[*done_nbytes - 1] ^= 1;
    return done;
}

IMPORT(BOOL, WriteFile, (HANDLE file, LPCVOID buffer, DWORD nbytes, LPDWORD done_nbytes, LPOVERLAPPED at))
{
    int what = meet(NAME_write);
    return what > 0 ? FALSE : CALL(WriteFile)(file, buffer, cut(what, nbytes), done_nbytes, at);
}

IMPORT(BOOL, FlushFileBuffers, (HANDLE file))
{
    return meet(NAME_flush) == NOTHING && CALL(FlushFileBuffers)(file);
}

IMPORT(BOOL, GetFileSizeEx, (HANDLE file, PLARGE_INTEGER size))
{
    return meet(NAME_size) == NOTHING && CALL(GetFileSizeEx)(file, size);
}

IMPORT(DWORD, GetFileAttributesW, (LPCWSTR path))
{
    int what = meet(NAME_attributes);
    if (what > 0)
        return INVALID_FILE_ATTRIBUTES;
    DWORD attributes = CALL(GetFileAttributesW)(path);
    return what == LINK && attributes != INVALID_FILE_ATTRIBUTES ? attributes | FILE_ATTRIBUTE_REPARSE_POINT
                                                                 : attributes;
}

IMPORT(BOOL, GetFileInformationByHandle, (HANDLE file, LPBY_HANDLE_FILE_INFORMATION information))
{
    return meet(NAME_info) == NOTHING && CALL(GetFileInformationByHandle)(file, information);
}

IMPORT(DWORD, GetFullPathNameW, (LPCWSTR path, DWORD count, LPWSTR full, LPWSTR *name))
{
    return meet(NAME_full) != NOTHING ? 0 : CALL(GetFullPathNameW)(path, count, full, name);
}

IMPORT(DWORD, GetFinalPathNameByHandleW, (HANDLE file, LPWSTR path, DWORD count, DWORD flags))
{
    return meet(NAME_final) != NOTHING ? 0 : CALL(GetFinalPathNameByHandleW)(file, path, count, flags);
}

IMPORT(BOOL, DeleteFileW, (LPCWSTR path))
{
    return meet(NAME_delete) == NOTHING && CALL(DeleteFileW)(path);
}

IMPORT(BOOL, MoveFileExW, (LPCWSTR from, LPCWSTR to, DWORD flags))
{
    int what = meet(NAME_move);
    if (what == NOTHING)
        return CALL(MoveFileExW)(from, to, flags);
    if (what == LOST) {
        CALL(DeleteFileW)(to);
        SetLastError(ERROR_IO_DEVICE);
    }
    return FALSE;
}

IMPORT(BOOL, CopyFileW, (LPCWSTR from, LPCWSTR to, BOOL must_be_new))
{
    return meet(NAME_copy) == NOTHING && CALL(CopyFileW)(from, to, must_be_new);
}

IMPORT(BOOL, SetEndOfFile, (HANDLE file))
{
    return meet(NAME_eof) == NOTHING && CALL(SetEndOfFile)(file);
}

IMPORT(BOOL, GetFileTime, (HANDLE file, LPFILETIME created, LPFILETIME read, LPFILETIME written))
{
    return meet(NAME_time) == NOTHING && CALL(GetFileTime)(file, created, read, written);
}

IMPORT(BOOL, SetFileTime,
       (HANDLE file, const FILETIME *created, const FILETIME *read, const FILETIME *written))
{
    return meet(NAME_time) == NOTHING && CALL(SetFileTime)(file, created, read, written);
}

IMPORT(DWORD, GetSecurityInfo,
       (HANDLE file, SE_OBJECT_TYPE type, SECURITY_INFORMATION what_is_asked, PSID *owner, PSID *group,
        PACL *list, PACL *audit, PSECURITY_DESCRIPTOR *descriptor))
{
    int what = meet(NAME_security);
    return what != NOTHING
               ? (DWORD)what
               : CALL(GetSecurityInfo)(file, type, what_is_asked, owner, group, list, audit, descriptor);
}

IMPORT(DWORD, SetSecurityInfo,
       (HANDLE file, SE_OBJECT_TYPE type, SECURITY_INFORMATION what_is_set, PSID owner, PSID group, PACL list,
        PACL audit))
{
    int what = meet(NAME_security);
    return what != NOTHING ? (DWORD)what
                           : CALL(SetSecurityInfo)(file, type, what_is_set, owner, group, list, audit);
}

IMPORT(HANDLE, FindFirstFileW, (LPCWSTR pattern, LPWIN32_FIND_DATAW found))
{
    if (meet(NAME_find) != NOTHING)
        return INVALID_HANDLE_VALUE;
    HANDLE search = CALL(FindFirstFileW)(pattern, found);
    if (search != INVALID_HANDLE_VALUE)
        InterlockedIncrement(&live_handles);
    return search;
}

IMPORT(BOOL, FindNextFileW, (HANDLE search, LPWIN32_FIND_DATAW found))
{
    return meet(NAME_next) == NOTHING && CALL(FindNextFileW)(search, found);
}

IMPORT(BOOL, FindClose, (HANDLE search))
{
    InterlockedDecrement(&live_handles);
    return CALL(FindClose)(search);
}

IMPORT(HANDLE, CreateThread,
       (LPSECURITY_ATTRIBUTES security, SIZE_T stack_nbytes, LPTHREAD_START_ROUTINE start, LPVOID argument,
        DWORD flags, LPDWORD id))
{
    if (meet(NAME_thread) != NOTHING)
        return NULL;
    HANDLE thread = CALL(CreateThread)(security, stack_nbytes, start, argument, flags, id);
    if (thread)
        InterlockedIncrement(&live_handles);
    return thread;
}

IMPORT(void, Sleep, (DWORD milliseconds))
{
    if (is_running)
        InterlockedExchangeAdd(&slept_ms, (LONG)milliseconds);
    else
        CALL(Sleep)(milliseconds);
}

/* The C library. */
#define WRAPPED(result, name, parameters)                                                                    \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result __wrap_##name parameters

static void *counted(void *block)
{
    if (block)
        InterlockedIncrement(&live_blocks);
    return block;
}

WRAPPED(void *, malloc, (size_t nbytes))
{
    return meet(NAME_memory) != NOTHING ? NULL : counted(__real_malloc(nbytes));
}

WRAPPED(void *, calloc, (size_t count, size_t nbytes))
{
    return meet(NAME_memory) != NOTHING ? NULL : counted(__real_calloc(count, nbytes));
}

WRAPPED(void *, realloc, (void *block, size_t nbytes))
{
    if (meet(NAME_memory) != NOTHING)
        return NULL;
    void *larger = __real_realloc(block, nbytes);
    return block ? larger : counted(larger);
}

WRAPPED(void, free, (void *block))
{
    if (block)
        InterlockedDecrement(&live_blocks);
    __real_free(block);
}

WRAPPED(size_t, fwrite, (const void *chars, size_t size, size_t count, FILE *stream))
{
    if (stream == stderr || meet(NAME_print) == NOTHING)
        return __real_fwrite(chars, size, count, stream);
    stream->_flag |= _IOERR;
    return 0;
}

WRAPPED(int, fflush, (FILE * stream))
{
    if (stream == stderr || meet(NAME_print) == NOTHING)
        return __real_fflush(stream);
    stream->_flag |= _IOERR;
    return EOF;
}

typedef FILE *(__cdecl *_wfopen_fn)(const wchar_t *path, const wchar_t *mode);
extern _wfopen_fn __real___imp__wfopen, __wrap___imp__wfopen;

static FILE *__cdecl faulty_wfopen(const wchar_t *path, const wchar_t *mode)
{
    return meet(NAME_fopen) != NOTHING ? NULL : __real___imp__wfopen(path, mode);
}

_wfopen_fn __wrap___imp__wfopen = faulty_wfopen;
