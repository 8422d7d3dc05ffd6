/* console.c - what console.h does alike on every system.
 * Takes: printf pieces.  Gives: text on standard error.  Must not: know systems. */
#include "cli/console.h"

#include "cli/progress.h"

#include <string.h>

void console_complain(const char *format, ...)
{
    struct arena arena;
    arena_init(&arena, NULL);
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_vprintf(&arena, format, arguments);
    va_end(arguments);
    if (arena.exhausted)
        text = "hvcifix : error HVCI9008: There was not enough memory to say what is wrong.\n";
    progress_hide();
    console_write(stderr, text, strlen(text));
    progress_show();
    arena_free(&arena);
}
