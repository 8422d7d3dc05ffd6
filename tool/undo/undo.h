/* undo.h - the side file that leads from a repaired image back to the original.
 * Takes: both images and what was done.  Gives: bytes of a side file; and from these the original.
 * Must not: read or write files, or trust a size that a side file states.
 *
 * A side file is one record, or several that follow one another: the first leads back to the first original,
 * each further one to what the one before it is about. docs/UNDO.md has the format. */
#ifndef HVCIFIX_UNDO_UNDO_H
#define HVCIFIX_UNDO_UNDO_H

#include "base/finding.h"
#include "base/span.h"

#define UNDO_SUFFIX ".hvcifix-undo"

enum {
    UNDO_FORMAT_VERSION = 1,
    UNDO_DIGEST_NBYTES = 32, /* SHA-256 */
    UNDO_MOST_RECORDS = 32,
    UNDO_DESCRIPTION_NBYTES = 64 * 1024, /* unpacked, at most */
    /* An original has at most twice the size of the repaired image, and so much more. */
    UNDO_FREE_NBYTES = 16 * 1024 * 1024
};
#define UNDO_MOST_NBYTES (UINT32_C(1) << 31) /* of either image */

/* One change, or one finding that was cured. */
struct undo_fact {
    const char *what; /* "HVCI2102: Section INIT is ..." */
    const char *why;  /* or NULL */
};

struct undo_facts {
    struct undo_fact *items;
    size_t count;
};

/* What a record says of the repair. Texts come from a file: they are any bytes but NUL. */
struct undo_description {
    const char *tool_version, *image_name; /* NULL when not told */
    struct undo_facts cured, changes;
};

struct undo_image {
    uint32_t nbytes;
    uint8_t sha256[UNDO_DIGEST_NBYTES];
};

struct undo_record {
    struct span bytes; /* of the side file */
    struct undo_image original, repaired;
    uint32_t range_count;
    struct span packed_delta;
    struct undo_description description;
};

struct undo_file {
    struct undo_record *records; /* record_count of them, at least one; the oldest first */
    size_t record_count;
};

/* Does it begin like a side file? */
bool undo_is(struct span bytes);

/* Size and digest of a whole file. False when it is too large, or the platform gives no digest. */
bool undo_image_of(struct span file, struct undo_image *image);

static inline bool undo_image_is_equal(const struct undo_image *a, const struct undo_image *b)
{
    return a->nbytes == b->nbytes && memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

/* Is the original small enough beside the repaired image to be kept in a record? */
static inline bool undo_fits(uint64_t original_nbytes, uint64_t repaired_nbytes)
{
    return original_nbytes < UNDO_MOST_NBYTES && repaired_nbytes < UNDO_MOST_NBYTES &&
           original_nbytes <= 2 * repaired_nbytes + UNDO_FREE_NBYTES;
}

/* Makes a record; both files as undo_fits() says. A description that is too long is cut between its facts.
 * False when memory ran out, or the platform gives no digest. */
bool undo_record_make(struct span original, struct span repaired, const struct undo_description *description,
                      struct arena *arena, struct span *record);

/* Reads a side file whole, but for the differences. `path` is for messages. False with *error set (HVCI9091,
 * HVCI9092; HVCI9008 when memory ran out). */
bool undo_read(struct span bytes, const char *path, struct arena *arena, struct undo_file *file,
               struct finding *error);

/* The number of the last record that leads back from this image; record_count when none does. */
size_t undo_find(const struct undo_file *file, const struct undo_image *image);

/* The first original, from the image that record `number` leads back from. False with *error set: what the
 * side file holds is not what it says. */
bool undo_apply(const struct undo_file *file, size_t number, struct span repaired, const char *path,
                struct arena *arena, struct span *original, struct finding *error);

#endif
