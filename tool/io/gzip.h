/* gzip.h - bytes to and from the gzip format (RFC 1952), with zlib.
 * Takes: bytes.  Gives: bytes in an arena.  Must not: put a time or a name into the header: same bytes in,
 * same bytes out. */
#ifndef HVCIFIX_IO_GZIP_H
#define HVCIFIX_IO_GZIP_H

#include "base/arena.h"
#include "base/span.h"

/* False when memory ran out. */
bool gzip_compress(struct span bytes, struct arena *arena, struct span *compressed);

enum gunzip_result { GUNZIP_DONE, GUNZIP_DAMAGED, GUNZIP_TOO_LARGE, GUNZIP_NO_MEMORY };

/* Does it begin like the format? */
bool gzip_is(struct span bytes);

/* The content, of all members, at most `most_nbytes` bytes. */
enum gunzip_result gzip_decompress(struct span compressed, size_t most_nbytes, struct arena *arena,
                                   struct span *bytes);

#endif
