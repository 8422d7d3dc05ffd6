/* catalog.c - finding the catalog that lists an image's hash.
 * Takes: files beside the image.  Gives: a path or NULL.  Must not: parse more of a catalog than it needs:
 * the digest appears in it as raw bytes (SpcIndirectDataContent of its member), and 20 or 32 equal bytes are
 * no coincidence. */
#include "io/catalog.h"

#include "io/authenticode.h"
#include "io/file.h"

static bool holds(struct span haystack, const uint8_t *needle, size_t needle_nbytes)
{
    const uint8_t *at = haystack.bytes;
    size_t left_nbytes = haystack.nbytes;
    while (left_nbytes >= needle_nbytes) {
        const uint8_t *hit = memchr(at, needle[0], left_nbytes - needle_nbytes + 1);
        if (!hit)
            return false;
        if (memcmp(hit, needle, needle_nbytes) == 0)
            return true;
        left_nbytes -= (size_t)(hit - at) + 1;
        at = hit + 1;
    }
    return false;
}

bool catalog_lists_image(const char *path, const struct image *image, struct arena *arena,
                         const char **catalog, struct finding *error)
{
    *catalog = NULL;
    struct path_list catalogs;
    if (!file_siblings(path, ".cat", arena, &catalogs, error))
        return false;
    if (catalogs.count == 0)
        return true;
    struct authenticode_digests digests;
    if (!authenticode_digest(image, &digests)) {
        *error = finding_make(arena, HVCI9006_CANNOT_READ, LEVEL_ERROR,
                              "The hash of \"%s\" could not be computed.", path);
        return false;
    }
    for (size_t i = 0; i < catalogs.count && !*catalog; i++) {
        struct file_content content;
        if (!file_read(catalogs.paths[i], arena, &content, error))
            return false;
        if (holds(content.bytes, digests.sha1, sizeof digests.sha1) ||
            holds(content.bytes, digests.sha256, sizeof digests.sha256))
            *catalog = catalogs.paths[i];
    }
    return true;
}
