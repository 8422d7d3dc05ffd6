/* archive.h - the members of a zip or cab archive, one after the other, from bytes in memory.
 * Takes: the archive's bytes.  Gives: names and contents in blocks.  Must not: write files, follow links, or
 * trust a size that the archive states. libarchive does the reading; only package.c uses this. */
#ifndef HVCIFIX_PACKAGE_ARCHIVE_H
#define HVCIFIX_PACKAGE_ARCHIVE_H

#include "base/arena.h"
#include "base/span.h"

/* Do the bytes begin like an archive that can be read here? */
bool archive_is_known(struct span bytes);

struct archive_reader;

struct archive_file {
    const char *name; /* UTF-8, with "/" between folders; never NULL */
    uint64_t nbytes;  /* as the archive states it, or 0: not to be trusted */
    bool is_file;     /* not a folder, link or device */
    bool is_link;
    bool is_encrypted;
    bool has_odd_name; /* leads out of the archive's own folder, or was not valid text */
    int64_t written_s; /* seconds since 1970, as far as the archive says; else 0 */
    uint32_t mode;     /* POSIX permissions likewise */
};

enum archive_result {
    ARCHIVE_GAVE,   /* a member, or a block */
    ARCHIVE_ENDED,  /* of the archive, or of the member */
    ARCHIVE_BAD,    /* this member cannot be read; the next may */
    ARCHIVE_BROKEN, /* nothing further can be read */
    ARCHIVE_NO_MEMORY
};

/* NULL when memory ran out. `bytes` are borrowed. Whether they can be read is said by the first
 * archive_next(). */
struct archive_reader *archive_open(struct span bytes);
void archive_close(struct archive_reader *reader);

/* The next member. The name lives in the arena. */
enum archive_result archive_next(struct archive_reader *reader, struct arena *arena,
                                 struct archive_file *file);

/* The next block of the member, borrowed until the next call. A block may be empty. */
enum archive_result archive_block(struct archive_reader *reader, struct span *block);

/* What was read of a member so far. Begins as zero. */
struct archive_content {
    uint8_t *bytes;
    size_t nbytes, capacity;
};

/* Puts a block behind it. False when memory ran out. */
bool archive_content_add(struct archive_content *content, struct span block, struct arena *arena);

/* Must what is not wanted of a member be unpacked all the same to reach the next? Then archive_block() has to
 * be asked to the end, and what it gives counts. */
bool archive_unpacks_to_skip(const struct archive_reader *reader);

/* A zip without its directory, once archive_next() has been called: it is read from its begin, and may lack
 * members. */
bool archive_lacks_directory(const struct archive_reader *reader);

/* Why the last call gave ARCHIVE_BAD or ARCHIVE_BROKEN: a few words without a full stop, in the arena. */
const char *archive_trouble(struct archive_reader *reader, struct arena *arena);

#endif
