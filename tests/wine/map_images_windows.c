/* map_images_windows.c - asks the system's own loader about images.
 * Takes: map_images.exe LIST FIRST; LIST is a file with one full Windows path a line, in UTF-16; lines before
 * FIRST (from 0) are passed over.  Gives: for each file "NUMBER SECTION VIEW LOAD" on stdout: the status of
 * making an image section, of mapping it (hexadecimal NTSTATUS), and the error of loading it as a library
 * without its imports (decimal; 0 is success). Must not: run any code of the images.
 * The loader of Wine can fault or hang on a hostile image. Then the process ends (exit code 3) with that
 * line cut off, and the caller starts it again behind that image. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>
#include <winternl.h>

typedef NTSTATUS(NTAPI create_section_fn)(HANDLE *, ACCESS_MASK, void *, LARGE_INTEGER *, ULONG, ULONG,
                                          HANDLE);
typedef NTSTATUS(NTAPI map_view_fn)(HANDLE, HANDLE, void **, ULONG_PTR, SIZE_T, LARGE_INTEGER *, SIZE_T *,
                                    ULONG, ULONG, ULONG);
typedef NTSTATUS(NTAPI unmap_view_fn)(HANDLE, void *);

enum { LONGEST_LOAD_MILLISECONDS = 3000, EXIT_CUT_OFF = 3 };

static volatile LONG asked_count;
static create_section_fn *create_section;
static map_view_fn *map_view;
static unmap_view_fn *unmap_view;

typedef void any_fn(void);

static any_fn *function(const char *name)
{
    FARPROC address = GetProcAddress(GetModuleHandleA("ntdll.dll"), name);

    if (!address)
        exit(2);
    return (any_fn *)address;
}

static LONG WINAPI end_at_fault(EXCEPTION_POINTERS *fault)
{
    (void)fault;
    TerminateProcess(GetCurrentProcess(), EXIT_CUT_OFF);
    return EXCEPTION_EXECUTE_HANDLER;
}

/* Ends the process when one image takes too long. */
static DWORD WINAPI watch(void *unused)
{
    LONG seen;

    (void)unused;
    do {
        seen = asked_count;
        Sleep(LONGEST_LOAD_MILLISECONDS);
    } while (seen != asked_count);
    TerminateProcess(GetCurrentProcess(), EXIT_CUT_OFF);
    return 0;
}

static void ask(unsigned number, const wchar_t *path)
{
    HANDLE file =
        CreateFileW(path, GENERIC_READ | GENERIC_EXECUTE, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE section = NULL;
    void *base = NULL;
    SIZE_T nbytes = 0;
    NTSTATUS made, mapped = -1;
    HMODULE module;

    if (file == INVALID_HANDLE_VALUE) {
        printf("%u cannot open: %lu\n", number, GetLastError());
        return;
    }
    made = create_section(&section, SECTION_MAP_READ | SECTION_MAP_EXECUTE | SECTION_QUERY, NULL, NULL,
                          PAGE_EXECUTE, SEC_IMAGE, file);
    if (made == 0) {
        mapped = map_view(section, GetCurrentProcess(), &base, 0, 0, NULL, &nbytes, 1, 0, PAGE_EXECUTE);
        if (mapped >= 0)
            unmap_view(GetCurrentProcess(), base);
        CloseHandle(section);
    }
    CloseHandle(file);
    printf("%u %08lx %08lx ", number, (unsigned long)made, (unsigned long)mapped);
    fflush(stdout); /* what comes next may end the process */
    InterlockedIncrement(&asked_count);
    module = LoadLibraryExW(path, NULL, DONT_RESOLVE_DLL_REFERENCES);
    printf("%lu\n", module ? 0 : GetLastError());
    fflush(stdout);
    if (module)
        FreeLibrary(module);
}

int wmain(int count, wchar_t **words); /* the start-up code declares it nowhere */

int wmain(int count, wchar_t **words)
{
    wchar_t line[4096];
    unsigned number = 0, first;
    FILE *list;

    if (count != 3 || !(list = _wfopen(words[1], L"rb")))
        return 2;
    first = (unsigned)wcstoul(words[2], NULL, 10);
    SetUnhandledExceptionFilter(end_at_fault);
    CreateThread(NULL, 0, watch, NULL, 0, NULL);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    create_section = (create_section_fn *)function("NtCreateSection");
    map_view = (map_view_fn *)function("NtMapViewOfSection");
    unmap_view = (unmap_view_fn *)function("NtUnmapViewOfSection");
    for (; fgetws(line, sizeof line / sizeof line[0], list); number++) {
        line[wcscspn(line, L"\r\n")] = 0;
        if (number >= first)
            ask(number, line);
    }
    fclose(list);
    return 0;
}
