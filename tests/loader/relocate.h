/* relocate.h - base relocations. */
#ifndef LOADER_RELOCATE_H
#define LOADER_RELOCATE_H

/* Adds the distance between the loaded image's base and its own to every field that its relocations name.
 * Gives up at an entry that the kernel would not apply. */
void relocate(void);

#endif
