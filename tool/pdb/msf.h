/* msf.h - the container of a PDB: numbered streams, each scattered over the blocks of one file (MSF 7.00).
 * Takes: the bytes of a file.  Gives: where each stream lies, its contents, and a file in which some of them
 * are other ones.  Must not: know what any stream means. Sources: LLVM, docs/PDB/MsfFile;
 * microsoft/microsoft-pdb, PDB/msf/msf.cpp.
 *
 * Block 0 is the superblock. Of every interval of as many blocks as a block has bytes, blocks 1 and 2 belong
 * to the two free block maps, one of which is in use. The directory says which blocks each stream has; block
 * maps say which blocks the directory has. */
#ifndef HVCIFIX_PDB_MSF_H
#define HVCIFIX_PDB_MSF_H

#include "base/finding.h"
#include "base/span.h"

enum {
    MSF_SUPERBLOCK_NBYTES = 52, /* without the numbers of the block maps behind it */
    MSF_LEAST_BLOCK_NBYTES = 512,
    MSF_MOST_BLOCK_NBYTES = 32768,
    MSF_MOST_STREAMS = 65535 /* their numbers are stored in 16 bits; 0xFFFF means none */
};

struct msf_stream {
    uint32_t nbytes;
    bool is_nil;           /* stored with the size 0xFFFFFFFF: there is none */
    const uint8_t *blocks; /* its block numbers as stored, four bytes each */
};

struct msf {
    struct span file; /* borrowed */
    uint32_t block_nbytes, block_count;
    uint32_t free_map; /* 1 or 2: which free block map is in use */
    struct msf_stream *streams;
    uint32_t stream_count;
};

/* Reads superblock and directory. Every block that they name lies in the file, and none is named twice. False
 * with *error set: HVCI9080, or HVCI9008. Work and memory: linear in the file's size. */
bool msf_open(struct span file, struct arena *arena, struct msf *msf, struct finding *error);

/* The contents of a stream, put together in the arena. Empty for a stream that does not exist. False when
 * memory ran out. */
bool msf_read(const struct msf *msf, uint32_t stream, struct arena *arena, struct span *contents);

/* New contents of a stream. Numbers from stream_count on, in ascending order without a gap, are new streams.
 */
struct msf_change {
    uint32_t stream;
    struct span contents;
};

/* A file with the changes, ascending by stream, in the arena. All other streams keep their blocks, so that
 * they are the same bytes at the same places; what changes goes to new blocks at the end, with a new
 * directory. Blocks that nothing names any more are marked free. False with *error set: HVCI9080 (too many
 * streams or blocks), or HVCI9008. */
bool msf_change(const struct msf *msf, const struct msf_change *changes, size_t change_count,
                struct arena *arena, struct span *file, struct finding *error);

/* How many blocks hold nbytes. */
static inline uint64_t msf_blocks_for(uint32_t block_nbytes, uint64_t nbytes)
{
    return (nbytes + block_nbytes - 1) / block_nbytes;
}

#endif
