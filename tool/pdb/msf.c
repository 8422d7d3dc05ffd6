/* msf.c - see msf.h: reading. */
#include "pdb/msf.h"
#include "pdb/msf_format.h"

static bool refuse(struct arena *arena, struct finding *error, const char *what)
{
    *error = finding_make(arena, HVCI9080_PDB_UNREADABLE, LEVEL_ERROR, "The PDB cannot be read: %s.", what);
    error->cure = "Name the PDB that the linker wrote together with the image; if it is, link again.";
    return false;
}

static bool out_of_memory(struct arena *arena, struct finding *error)
{
    *error =
        finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR, "There was not enough memory for the PDB.");
    return false;
}

struct reading {
    struct msf *msf;
    struct arena *arena;
    struct finding *error;
    uint8_t *used; /* a byte for each block: something names it */
};

/* Block numbers that are named by `numbers`, each in the file and never named before. */
static bool take_blocks(struct reading *reading, const uint8_t *numbers, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t block = load_u32(numbers + 4 * i);
        if (block >= reading->msf->block_count)
            return refuse(reading->arena, reading->error, "it names a block behind its end");
        if (reading->used[block]++)
            return refuse(reading->arena, reading->error, "two parts of it claim the same block");
    }
    return true;
}

static bool are_in_file(const struct msf *msf, const uint8_t *numbers, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (load_u32(numbers + 4 * i) >= msf->block_count)
            return false;
    return true;
}

/* The bytes of `count` blocks, cut to nbytes. */
static uint8_t *join_blocks(const struct msf *msf, const uint8_t *numbers, uint64_t nbytes,
                            struct arena *arena)
{
    uint8_t *joined = arena_alloc_unset(arena, (size_t)nbytes + 1);
    for (uint64_t done = 0; joined && done < nbytes; done += msf->block_nbytes, numbers += 4) {
        uint64_t part = nbytes - done < msf->block_nbytes ? nbytes - done : msf->block_nbytes;
        memcpy(joined + done, msf->file.bytes + (uint64_t)load_u32(numbers) * msf->block_nbytes,
               (size_t)part);
    }
    return joined;
}

static bool read_superblock(struct reading *reading, uint32_t *directory_nbytes)
{
    struct msf *msf = reading->msf;
    const uint8_t *super = msf->file.bytes;
    if (msf->file.nbytes < MSF_SUPERBLOCK_NBYTES || memcmp(super, MSF_MAGIC, MSF_MAGIC_NBYTES) != 0)
        return refuse(reading->arena, reading->error, "it does not begin like one of the format 7.00");
    msf->block_nbytes = load_u32(super + SUPER_BLOCK_NBYTES);
    msf->free_map = load_u32(super + SUPER_FREE_MAP);
    msf->block_count = load_u32(super + SUPER_BLOCK_COUNT);
    *directory_nbytes = load_u32(super + SUPER_DIRECTORY_NBYTES);
    if (msf->block_nbytes < MSF_LEAST_BLOCK_NBYTES || msf->block_nbytes > MSF_MOST_BLOCK_NBYTES ||
        (msf->block_nbytes & (msf->block_nbytes - 1)) != 0)
        return refuse(reading->arena, reading->error, "the size of its blocks is impossible");
    if (msf->free_map != 1 && msf->free_map != 2)
        return refuse(reading->arena, reading->error, "its free block map is at an impossible place");
    if ((uint64_t)msf->block_count * msf->block_nbytes != msf->file.nbytes)
        return refuse(reading->arena, reading->error, "it is longer or shorter than it says");
    if (*directory_nbytes < 4 || *directory_nbytes > msf->file.nbytes)
        return refuse(reading->arena, reading->error, "its directory is longer than the file");
    return true;
}

/* The superblock, and in each interval the blocks of the two free block maps, hold no stream. */
static bool reserve_blocks(struct reading *reading)
{
    const struct msf *msf = reading->msf;
    reading->used = arena_alloc(reading->arena, msf->block_count);
    if (!reading->used)
        return out_of_memory(reading->arena, reading->error);
    reading->used[0] = 1;
    for (uint64_t first = 0; first < msf->block_count; first += msf->block_nbytes)
        for (uint64_t block = first + 1; block <= first + 2 && block < msf->block_count; block++)
            reading->used[block] = 1;
    return true;
}

static bool read_directory(struct reading *reading, uint32_t nbytes, struct span *directory)
{
    const struct msf *msf = reading->msf;
    uint64_t block_count = msf_blocks_for(msf->block_nbytes, nbytes);
    uint64_t map_count = msf_blocks_for(msf->block_nbytes, 4 * block_count);
    const uint8_t *maps = msf->file.bytes + SUPER_BLOCK_MAPS;
    if (!range_fits(msf->block_nbytes, SUPER_BLOCK_MAPS, 4 * map_count))
        return refuse(reading->arena, reading->error, "its directory is too large");
    if (!take_blocks(reading, maps, map_count))
        return false;
    uint8_t *numbers = join_blocks(msf, maps, 4 * block_count, reading->arena);
    if (!numbers)
        return out_of_memory(reading->arena, reading->error);
    if (!take_blocks(reading, numbers, block_count))
        return false;
    *directory = (struct span){join_blocks(msf, numbers, nbytes, reading->arena), nbytes};
    return directory->bytes || out_of_memory(reading->arena, reading->error);
}

static bool read_streams(struct reading *reading, struct span directory)
{
    struct msf *msf = reading->msf;
    uint32_t count = load_u32(directory.bytes);
    if (count > MSF_MOST_STREAMS || !range_fits(directory.nbytes, 4, 4 * (uint64_t)count))
        return refuse(reading->arena, reading->error, "its directory is cut short");
    msf->streams = arena_array(reading->arena, (size_t)count + 1, sizeof *msf->streams);
    if (!msf->streams)
        return out_of_memory(reading->arena, reading->error);
    uint64_t at = 4 + 4 * (uint64_t)count;
    for (uint32_t i = 0; i < count; i++) {
        struct msf_stream *stream = &msf->streams[i];
        uint32_t stored = load_u32(directory.bytes + 4 + 4 * (size_t)i);
        *stream = (struct msf_stream){.nbytes = stored == MSF_NIL_NBYTES ? 0 : stored,
                                      .is_nil = stored == MSF_NIL_NBYTES,
                                      .blocks = directory.bytes + at};
        uint64_t block_count = msf_blocks_for(msf->block_nbytes, stream->nbytes);
        if (!range_fits(directory.nbytes, at, 4 * block_count))
            return refuse(reading->arena, reading->error, "its directory is cut short");
        /* Stream 0 is what the directory was before: its blocks may have been given away since. */
        if (i == 0 && !are_in_file(msf, stream->blocks, block_count))
            return refuse(reading->arena, reading->error, "it names a block behind its end");
        if (i != 0 && !take_blocks(reading, stream->blocks, block_count))
            return false;
        at += 4 * block_count;
    }
    if (at != directory.nbytes)
        return refuse(reading->arena, reading->error, "its directory is longer than its streams");
    msf->stream_count = count;
    return true;
}

bool msf_open(struct span file, struct arena *arena, struct msf *msf, struct finding *error)
{
    struct reading reading = {.msf = msf, .arena = arena, .error = error};
    uint32_t directory_nbytes = 0;
    struct span directory = {NULL, 0};
    *msf = (struct msf){.file = file};
    return read_superblock(&reading, &directory_nbytes) && reserve_blocks(&reading) &&
           read_directory(&reading, directory_nbytes, &directory) && read_streams(&reading, directory);
}

bool msf_read(const struct msf *msf, uint32_t stream, struct arena *arena, struct span *contents)
{
    *contents = (struct span){NULL, 0};
    if (stream >= msf->stream_count || msf->streams[stream].nbytes == 0)
        return true;
    const struct msf_stream *wanted = &msf->streams[stream];
    contents->bytes = join_blocks(msf, wanted->blocks, wanted->nbytes, arena);
    contents->nbytes = contents->bytes ? wanted->nbytes : 0;
    return contents->bytes != NULL;
}
