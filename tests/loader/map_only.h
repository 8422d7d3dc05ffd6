/* map_only.h - images that are mapped and not run: what mutants become. */
#ifndef LOADER_MAP_ONLY_H
#define LOADER_MAP_ONLY_H

#include "machine.h"

/* Takes pairs of paths, an original and its repair. Where the original can be mapped as it asks, its repair
 * can be mapped strictly, at two bases. Prints each that cannot; false when there was one. */
bool map_only(char *const *paths);

#endif
