/* stand_in_linker.exe - stands in for a linker: writes its command line, as it got it, to seen.utf16, copies
 * the file `from` to the name in name.txt (UTF-16), and ends with the number behind /end:. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

int wmain(void); /* the start-up code declares it nowhere */

int wmain(void)
{
    const wchar_t *line = GetCommandLineW(), *end = wcsstr(line, L"/end:");
    wchar_t name[MAX_PATH] = {0};
    FILE *seen = fopen("seen.utf16", "wb"), *of_name = fopen("name.txt", "rb");
    if (!seen || !of_name || fread(name, sizeof *name, MAX_PATH - 1, of_name) == 0)
        return 99;
    fwrite(line, sizeof *line, wcslen(line), seen);
    fclose(of_name);
    if (fclose(seen) != 0 || !CopyFileW(L"from", name, FALSE))
        return 98;
    printf("linker speaks\n");
    return end ? (int)wcstol(end + 5, NULL, 10) : 0;
}
