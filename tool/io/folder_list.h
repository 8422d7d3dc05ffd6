/* folder_list.h - building a list of what is in a folder.
 * Takes: entries.  Gives: struct folder_list.  Must not: touch the file system; be used outside folder_*.c.
 */
#ifndef HVCIFIX_IO_FOLDER_LIST_H
#define HVCIFIX_IO_FOLDER_LIST_H

#include "io/folder.h"

/* False when memory ran out. */
bool folder_list_add(struct arena *arena, struct folder_list *list, const struct folder_entry *entry);

/* In ascending order of the bytes of names, the same on every system. */
void folder_list_sort(struct folder_list *list);

#endif
