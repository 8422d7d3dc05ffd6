/* catalog_index.h - which catalog of a driver package lists a file?
 * Takes: the bytes of catalogs.  Gives: the name of the first that holds a digest.
 * Must not: verify a catalog's own signature; a listed hash is enough to know that a change breaks it. */
#ifndef HVCIFIX_IO_CATALOG_INDEX_H
#define HVCIFIX_IO_CATALOG_INDEX_H

#include "image/image.h"
#include "io/digest.h"

/* A value of the size of a digest, and who has it. */
struct listed_digest {
    uint8_t value[DIGEST_SHA256_NBYTES]; /* of SHA-1: with zeros behind it */
    uint32_t catalog;                    /* its number */
};

struct catalog_index {
    struct arena *arena; /* borrowed */
    const char **names;
    size_t name_count, name_capacity;
    struct listed_digest *digests; /* sorted after catalog_index_sort() */
    size_t digest_count, digest_capacity;
};

/* Adds every OCTET STRING of 20 or 32 bytes of the catalog: its digests, and now and then another value. The
 * name is borrowed. False when memory ran out. Work: linear in the catalog. */
bool catalog_index_add(struct catalog_index *index, const char *name, struct span catalog);

/* When all are added. */
void catalog_index_sort(struct catalog_index *index);

/* The name of the first catalog that lists the image by its Authenticode digest, or NULL. */
bool catalog_index_find(const struct catalog_index *index, const struct image *image, const char **name);

/* Sets lists[i] for each catalog i that lists an image, or another file by the digest of all its bytes. False
 * when a digest cannot be computed. */
bool catalog_index_mark(const struct catalog_index *index, struct span file, struct arena *arena,
                        bool *lists);

#endif
