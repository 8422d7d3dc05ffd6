/* text_locale.h - the way in which libarchive reads names depends on the system and on the locale of the
 * thread. Takes: nothing.  Gives: a locale in which text is UTF-8, for the time of one call; names in it.
 * Must not: change the locale of the process or of another thread. text_locale_posix.c and
 * text_locale_windows.c implement it. */
#ifndef HVCIFIX_PACKAGE_TEXT_LOCALE_H
#define HVCIFIX_PACKAGE_TEXT_LOCALE_H

#include "base/arena.h"

/* NULL where there is none, or none is needed. */
void *text_locale_open(void);
void text_locale_close(void *locale);

/* From enter to leave the calling thread uses the locale; leave takes what enter gave. */
void *text_locale_enter(void *locale);
void text_locale_leave(void *before);

/* The name of a member, meant to be UTF-8 but perhaps none, in the arena; NULL when it has none that can be
 * had, or memory ran out (arena->exhausted). Inside enter and leave. */
struct archive_entry;
const char *text_locale_name(struct archive_entry *entry, struct arena *arena);

#endif
