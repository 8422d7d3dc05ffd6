/* text_locale_windows.c - text_locale.h where names are UTF-16: no locale is needed.
 * Takes: nothing.  Gives: names.  Must not: change anything. */
#include "package/text_locale.h"

#include "base/utf16.h"

#include <archive_entry.h>
#include <wchar.h>

void *text_locale_open(void)
{
    return NULL;
}

void text_locale_close(void *locale)
{
    (void)locale;
}

void *text_locale_enter(void *locale)
{
    return locale;
}

void text_locale_leave(void *before)
{
    (void)before;
}

const char *text_locale_name(struct archive_entry *entry, struct arena *arena)
{
    const wchar_t *name = archive_entry_pathname_w(entry);
    size_t nbytes;
    return name ? utf16_to_utf8((const uint16_t *)name, wcslen(name), arena, &nbytes) : NULL;
}
