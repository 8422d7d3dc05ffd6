/* catalog_index.c - catalog_index.h, by a sorted list of what may be digests.
 * Takes: bytes.  Gives: answers.  Must not: compare a digest with every catalog. */
#include "io/catalog_index.h"

#include "io/authenticode.h"

#include <stdlib.h>

enum { TAG_OCTET_STRING = 0x04, HEADER_NBYTES = 2 };

static bool add_digest(struct catalog_index *index, const uint8_t *value, size_t nbytes)
{
    struct listed_digest *digests =
        arena_grow(index->arena, index->digests, index->digest_count, &index->digest_capacity,
                   index->digest_count + 1, sizeof *digests);
    if (!digests)
        return false;
    index->digests = digests;
    struct listed_digest *digest = &digests[index->digest_count++];
    *digest = (struct listed_digest){.catalog = (uint32_t)(index->name_count - 1)};
    memcpy(digest->value, value, nbytes);
    return true;
}

bool catalog_index_add(struct catalog_index *index, const char *name, struct span catalog)
{
    const char **names = arena_grow(index->arena, (void *)index->names, index->name_count,
                                    &index->name_capacity, index->name_count + 1, sizeof *names);
    if (!names)
        return false;
    index->names = names;
    index->names[index->name_count++] = name;
    for (size_t at = 0; at + HEADER_NBYTES + DIGEST_SHA1_NBYTES <= catalog.nbytes; at++) {
        const uint8_t *p = catalog.bytes + at;
        size_t nbytes = p[1];
        if (p[0] != TAG_OCTET_STRING || (nbytes != DIGEST_SHA1_NBYTES && nbytes != DIGEST_SHA256_NBYTES) ||
            !range_fits(catalog.nbytes, at + HEADER_NBYTES, nbytes))
            continue;
        if (!add_digest(index, p + HEADER_NBYTES, nbytes))
            return false;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    const struct listed_digest *x = a, *y = b;
    int order = memcmp(x->value, y->value, sizeof x->value);
    return order != 0 ? order : x->catalog < y->catalog ? -1 : x->catalog > y->catalog;
}

void catalog_index_sort(struct catalog_index *index)
{
    if (index->digest_count > 1)
        qsort(index->digests, index->digest_count, sizeof *index->digests, by_value);
}

/* The first entry that is not before (value, 0). */
static size_t first_of(const struct catalog_index *index, const uint8_t *value)
{
    size_t low = 0, high = index->digest_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(index->digests[middle].value, value, DIGEST_SHA256_NBYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_value(const struct catalog_index *index, size_t at, const uint8_t *value)
{
    return at < index->digest_count && memcmp(index->digests[at].value, value, DIGEST_SHA256_NBYTES) == 0;
}

static void mark_value(const struct catalog_index *index, const uint8_t *value, bool *lists)
{
    for (size_t at = first_of(index, value); has_value(index, at, value); at++)
        lists[index->digests[at].catalog] = true;
}

bool catalog_index_find(const struct catalog_index *index, const struct image *image, const char **name)
{
    struct authenticode_digests digests;
    uint8_t sha1[DIGEST_SHA256_NBYTES] = {0};
    *name = NULL;
    if (index->name_count == 0)
        return true;
    if (!authenticode_digest(image, &digests))
        return false;
    memcpy(sha1, digests.sha1, sizeof digests.sha1);
    size_t a = first_of(index, sha1), b = first_of(index, digests.sha256);
    uint32_t found = UINT32_MAX;
    if (has_value(index, a, sha1))
        found = index->digests[a].catalog;
    if (has_value(index, b, digests.sha256) && index->digests[b].catalog < found)
        found = index->digests[b].catalog;
    if (found != UINT32_MAX)
        *name = index->names[found];
    return true;
}

bool catalog_index_mark(const struct catalog_index *index, struct span file, struct arena *arena, bool *lists)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA1, DIGEST_SHA256};
    struct image image;
    struct finding error;
    bool is_image = image_read(file, arena, &image, &error);
    for (size_t i = 0; index->name_count != 0 && i < sizeof algorithms / sizeof algorithms[0]; i++) {
        uint8_t value[DIGEST_SHA256_NBYTES] = {0};
        if (!digest_parts(algorithms[i], &file, 1, value))
            return false;
        mark_value(index, value, lists);
        memset(value, 0, sizeof value);
        if (is_image && !authenticode_digest_by(&image, algorithms[i], value))
            return false;
        if (is_image)
            mark_value(index, value, lists);
    }
    return !arena->exhausted;
}
