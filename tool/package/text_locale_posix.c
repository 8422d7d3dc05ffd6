/* text_locale_posix.c - text_locale.h by the locales of POSIX.
 * Takes: nothing.  Gives: C.UTF-8.  Must not: touch the locale of the process. */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "package/text_locale.h"

#include <archive_entry.h>
#include <locale.h>
#include <string.h>

void *text_locale_open(void)
{
    return (void *)newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void text_locale_close(void *locale)
{
    if (locale)
        freelocale((locale_t)locale);
}

void *text_locale_enter(void *locale)
{
    return locale ? (void *)uselocale((locale_t)locale) : NULL;
}

void text_locale_leave(void *before)
{
    if (before)
        (void)uselocale((locale_t)before);
}

const char *text_locale_name(struct archive_entry *entry, struct arena *arena)
{
    const char *name = archive_entry_pathname_utf8(entry);
    if (!name) /* the bytes as they stand in the archive */
        name = archive_entry_pathname(entry);
    return name ? arena_copy_text(arena, name, strlen(name)) : NULL;
}
