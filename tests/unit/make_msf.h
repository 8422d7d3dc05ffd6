/* make_msf.h - the container of a PDB, laid out by hand.
 * Takes: the contents of streams.  Gives: a file in which every block is where the test says. Sources: LLVM,
 * docs/PDB/MsfFile. Must not: use anything of tool/pdb. */
#ifndef HVCIFIX_TESTS_MAKE_MSF_H
#define HVCIFIX_TESTS_MAKE_MSF_H

#include "cmocka_all.h"

#include "base/arena.h"
#include "base/span.h"

enum {
    MADE_BLOCK_NBYTES = 512,
    MADE_MOST_BLOCKS = 40,
    MADE_MOST_STREAMS = 12,
    MADE_AT_BLOCK_NBYTES = 32, /* in the superblock */
    MADE_AT_FREE_MAP = 36,
    MADE_AT_BLOCK_COUNT = 40,
    MADE_AT_DIRECTORY_NBYTES = 44,
    MADE_AT_BLOCK_MAP = 52
};
#define MADE_NIL 0xFFFFFFFFu

struct made_msf {
    uint8_t bytes[MADE_MOST_BLOCKS * MADE_BLOCK_NBYTES];
    uint32_t block_count;
    uint32_t stream_count;
    uint32_t first_block[MADE_MOST_STREAMS];  /* the blocks of a stream follow one another */
    uint32_t directory_foff;                  /* the directory: one block */
    uint32_t numbers_foff[MADE_MOST_STREAMS]; /* of a stream's block numbers in it */
};

static inline struct span made_file(const struct made_msf *made)
{
    return (struct span){made->bytes, (size_t)made->block_count * MADE_BLOCK_NBYTES};
}

/* Blocks: the superblock, two free maps, the streams in order, the directory, its number. A stream without
 * bytes at NULL is stored as none. */
static inline void make_msf(struct made_msf *made, const struct span *streams, uint32_t count)
{
    memset(made, 0, sizeof *made);
    memcpy(made->bytes,
           "Microsoft C/C++ MSF 7.00\r\n\x1A"
           "DS\0\0",
           32);
    uint32_t block = 3, at = 4 + 4 * count;
    uint8_t directory[MADE_BLOCK_NBYTES] = {0};
    store_u32(directory, count);
    made->stream_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t nbytes = (uint32_t)streams[i].nbytes;
        made->first_block[i] = block;
        made->numbers_foff[i] = at;
        store_u32(directory + 4 + 4 * (size_t)i, streams[i].bytes ? nbytes : MADE_NIL);
        if (nbytes != 0)
            memcpy(made->bytes + (size_t)block * MADE_BLOCK_NBYTES, streams[i].bytes, nbytes);
        for (uint32_t done = 0; done < nbytes; done += MADE_BLOCK_NBYTES, at += 4)
            store_u32(directory + at, block++);
    }
    made->directory_foff = block * MADE_BLOCK_NBYTES;
    for (uint32_t i = 0; i < count; i++)
        made->numbers_foff[i] += made->directory_foff;
    memcpy(made->bytes + made->directory_foff, directory, sizeof directory);
    store_u32(made->bytes + (size_t)(block + 1) * MADE_BLOCK_NBYTES, block);
    made->block_count = block + 2;
    assert_true(made->block_count <= MADE_MOST_BLOCKS);
    memset(made->bytes + MADE_BLOCK_NBYTES, 0xFF, (size_t)2 * MADE_BLOCK_NBYTES);
    for (uint32_t i = 0; i < made->block_count; i++)
        for (uint32_t map = 1; map <= 2; map++)
            made->bytes[map * MADE_BLOCK_NBYTES + i / 8] &= (uint8_t)~(1u << (i % 8));
    store_u32(made->bytes + MADE_AT_BLOCK_NBYTES, MADE_BLOCK_NBYTES);
    store_u32(made->bytes + MADE_AT_FREE_MAP, 1);
    store_u32(made->bytes + MADE_AT_BLOCK_COUNT, made->block_count);
    store_u32(made->bytes + MADE_AT_DIRECTORY_NBYTES, at);
    store_u32(made->bytes + MADE_AT_BLOCK_MAP, block + 1);
}

/* Each test has an arena. */
static inline int begin_arena(void **state)
{
    struct arena *arena = malloc(sizeof *arena);
    arena_init(arena, NULL);
    *state = arena;
    return 0;
}

static inline int end_arena(void **state)
{
    arena_free(*state);
    free(*state);
    return 0;
}

#endif
