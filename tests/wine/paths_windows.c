/* paths_windows.c - what tool/io/wide_windows.c makes of paths: for each argument three lines in UTF-8, the
 * path for the system's functions (or "-" and the system's error), the path as it is shown, and "device" or
 * "file". */
#include "io/wide.h"

#include <stdio.h>

int wmain(int argc, wchar_t **argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **argv)
{
    struct arena arena;
    arena_init(&arena, NULL);
    for (int i = 1; i < argc; i++) {
        const char *path = wide_to_utf8(argv[i], &arena);
        const wchar_t *file_path = wide_file_path(path, &arena);
        if (file_path)
            printf("%s\n", wide_to_utf8(file_path, &arena));
        else
            printf("- %lu\n", GetLastError());
        printf("%s\n%s\n", wide_tidy_path(path, &arena),
               file_path && wide_is_device(file_path) ? "device" : "file");
    }
    arena_free(&arena);
    return 0;
}
