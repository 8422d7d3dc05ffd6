/* symbols_windows.c - asks a dbghelp.dll about the names and lines of an image.
 * Takes: symbols.exe DBGHELP IMAGE SYMBOL_FOLDER, and questions on stdin, one a line: "e" all symbols; "a
 * RVA" the name at an address, "l RVA" its source line (hexadecimal).  Gives: "matched PDB", or why there is
 * none; then for each question "e RVA TAG NAME" lines, "a RVA NAME+OFFSET", "l RVA FILE:LINE+OFFSET"; "-"
 * where there is none. Must not: run code of the image, or let dbghelp.dll look anywhere but in that folder.
 */
#include <windows.h>

#include <dbghelp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { LONGEST_NAME = 1000 };
static const DWORD64 base = 0x10000000;

typedef void any_fn(void);
typedef DWORD WINAPI set_options_fn(DWORD);
typedef BOOL WINAPI initialize_fn(HANDLE, PCWSTR, BOOL);
typedef DWORD64 WINAPI load_fn(HANDLE, HANDLE, PCWSTR, PCWSTR, DWORD64, DWORD, PVOID, DWORD);
typedef BOOL WINAPI module_fn(HANDLE, DWORD64, PIMAGEHLP_MODULEW64);
typedef BOOL WINAPI from_address_fn(HANDLE, DWORD64, PDWORD64, PSYMBOL_INFO);
typedef BOOL WINAPI line_fn(HANDLE, DWORD64, PDWORD, PIMAGEHLP_LINE64);
typedef BOOL WINAPI enumerate_fn(HANDLE, ULONG64, PCSTR, PSYM_ENUMERATESYMBOLS_CALLBACK, PVOID);

static any_fn *function(HMODULE library, const char *name)
{
    FARPROC address = GetProcAddress(library, name);
    if (!address) {
        printf("no %s\n", name);
        exit(3);
    }
    return (any_fn *)address;
}

static BOOL CALLBACK print_symbol(PSYMBOL_INFO symbol, ULONG nbytes, PVOID context)
{
    (void)nbytes;
    (void)context;
    printf("e %llx %lu %s\n", (unsigned long long)(symbol->Address - base), symbol->Tag, symbol->Name);
    return TRUE;
}

static void answer(HMODULE library, HANDLE process, char kind, DWORD64 rva)
{
    union {
        SYMBOL_INFO symbol;
        char room[sizeof(SYMBOL_INFO) + LONGEST_NAME];
    } found;
    IMAGEHLP_LINE64 line = {.SizeOfStruct = sizeof line};
    DWORD64 offset = 0;
    DWORD line_offset = 0;

    memset(&found, 0, sizeof found);
    found.symbol.SizeOfStruct = sizeof found.symbol;
    found.symbol.MaxNameLen = LONGEST_NAME;
    if (kind == 'e')
        ((enumerate_fn *)function(library, "SymEnumSymbols"))(process, base, "*", print_symbol, NULL);
    else if (kind == 'a' && ((from_address_fn *)function(library, "SymFromAddr"))(process, base + rva,
                                                                                  &offset, &found.symbol))
        printf("a %llx %s+%llx\n", (unsigned long long)rva, found.symbol.Name, (unsigned long long)offset);
    else if (kind == 'l' &&
             ((line_fn *)function(library, "SymGetLineFromAddr64"))(process, base + rva, &line_offset, &line))
        printf("l %llx %s:%lu+%lx\n", (unsigned long long)rva, line.FileName, line.LineNumber, line_offset);
    else
        printf("%c %llx -\n", kind, (unsigned long long)rva);
}

int wmain(int argc, wchar_t **argv);

int wmain(int argc, wchar_t **argv)
{
    HANDLE process = (HANDLE)(uintptr_t)0x1234; /* any number: no process is looked at */
    IMAGEHLP_MODULEW64 module = {.SizeOfStruct = sizeof module};
    char line[64];
    HMODULE library = argc == 4 ? LoadLibraryExW(argv[1], NULL, LOAD_WITH_ALTERED_SEARCH_PATH) : NULL;

    if (!library) {
        printf("no library: %lu\n", GetLastError());
        return 3;
    }
    ((set_options_fn *)function(library, "SymSetOptions"))(SYMOPT_LOAD_LINES | SYMOPT_EXACT_SYMBOLS);
    if (!((initialize_fn *)function(library, "SymInitializeW"))(process, argv[3], FALSE) ||
        !((load_fn *)function(library, "SymLoadModuleExW"))(process, NULL, argv[2], NULL, base, 0x1000000,
                                                            NULL, 0) ||
        !((module_fn *)function(library, "SymGetModuleInfoW64"))(process, base, &module)) {
        printf("not loaded: %lu\n", GetLastError());
        return 3;
    }
    puts(module.SymType == SymPdb && !module.PdbUnmatched && module.LineNumbers ? "matched PDB"
                                                                                : "no matching PDB");
    while (fgets(line, sizeof line, stdin))
        answer(library, process, line[0], line[1] ? strtoull(line + 1, NULL, 16) : 0);
    return 0;
}
