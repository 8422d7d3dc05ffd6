/* verify_msf.h - the verifier's own reader of the container of a PDB.
 * Takes: the bytes of a file.  Gives: its streams, block by block.
 * Must not: join streams in memory, or be shared with tool/pdb. */
#ifndef HVCIFIX_VERIFY_VERIFY_MSF_H
#define HVCIFIX_VERIFY_VERIFY_MSF_H

#include "base/arena.h"
#include "base/span.h"

#define VERIFY_NIL_STREAM 0xFFFFFFFFu

struct verify_msf {
    struct span file;
    uint32_t block_nbytes, block_count, free_map, stream_count;
    uint8_t *owned;       /* a bit for each block that something has */
    const uint8_t *sizes; /* of the streams, four bytes each */
    uint32_t *first;      /* index in `blocks` of each stream's first block */
    const uint8_t *blocks;
};

/* False with *reason (part of a sentence), or NULL when memory ran out. */
bool verify_msf_read(struct span file, struct arena *arena, struct verify_msf *msf, const char **reason);

/* Bytes of a stream; VERIFY_NIL_STREAM counts as none. */
uint32_t verify_msf_nbytes(const struct verify_msf *msf, uint32_t stream);

/* The bytes of the stream from `at` to the end of the block that holds it. Empty at its end. */
struct span verify_msf_part(const struct verify_msf *msf, uint32_t stream, uint32_t at);

/* Copies nbytes at `at`; false when the stream is shorter. */
bool verify_msf_copy(const struct verify_msf *msf, uint32_t stream, uint32_t at, uint8_t *bytes,
                     uint32_t nbytes);

/* The free block map has every owned block as used. */
bool verify_msf_map_is_right(const struct verify_msf *msf);

#endif
