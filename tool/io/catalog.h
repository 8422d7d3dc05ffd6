/* catalog.h - is an image covered by a catalog that lies beside it?
 * Takes: the image's path and model.  Gives: the catalog's path, or NULL.
 * Must not: verify the catalog's own signature; a listed hash is enough to know that a change breaks it. */
#ifndef HVCIFIX_IO_CATALOG_H
#define HVCIFIX_IO_CATALOG_H

#include "image/image.h"

/* Looks into every *.cat file of the image's folder for the image's Authenticode digest (SHA-1 and SHA-256).
 * *catalog is the first that lists it, in order of name, or NULL. False with *error set when that could not
 * be found out: the folder or a catalog cannot be read, the hash cannot be computed, or memory ran out. */
bool catalog_lists_image(const char *path, const struct image *image, struct arena *arena,
                         const char **catalog, struct finding *error);

#endif
