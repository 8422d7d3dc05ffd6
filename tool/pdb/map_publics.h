/* map_publics.h - names of an image's functions and variables, from the map that its linker wrote (/MAP).
 * Takes: the bytes of a map, the image.  Gives: names by ascending RVA, or why the map cannot be used.
 * Must not: trust a line that does not fit the image.
 *
 * A map holds no GUID. It belongs to the image when its preferred address, and where it states them its time
 * stamp and entry point, are those of the image, and section, offset and address of each name agree with the
 * section table. Source: what link.exe 14 and lld-link 19 write; hvcifix fix --linker-map writes the same. */
#ifndef HVCIFIX_PDB_MAP_PUBLICS_H
#define HVCIFIX_PDB_MAP_PUBLICS_H

#include "calls/function_names.h"

enum map_fit { MAP_FITS, MAP_UNREADABLE, MAP_OF_ANOTHER, MAP_NO_MEMORY };

/* Of several names of one place the first by its bytes. *why: half a sentence, unless it fits or memory ran
 * out. Names are in the image's arena, of at most FUNCTION_NAME_MOST_NBYTES; longer ones are passed over.
 * Work: linear in the file's size, and sorting. */
enum map_fit map_publics_read(struct span file, const struct image *image, struct given_names *names,
                              const char **why);

#endif
