/* msf_change.c - see msf.h: writing.
 * Nothing that the old file holds is overwritten but the superblock and the free block map in use. */
#include "pdb/msf.h"
#include "pdb/msf_format.h"

/* The new file while it grows. */
struct building {
    const struct msf *msf;
    struct arena *arena;
    struct finding *error;
    uint64_t next_block; /* behind the last one */
    uint8_t *bytes;      /* once all blocks are known */
};

/* Blocks of a stream or of the directory. */
struct block_list {
    uint32_t *numbers;
    uint64_t count;
};

static bool out_of_memory(struct building *building)
{
    *building->error = finding_make(building->arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                                    "There was not enough memory for the PDB.");
    return false;
}

static bool refuse(struct building *building, const char *what)
{
    *building->error = finding_make(building->arena, HVCI9080_PDB_UNREADABLE, LEVEL_ERROR,
                                    "The PDB cannot be written anew: %s.", what);
    building->error->cure = "Link with a larger /PDBPAGESIZE, or without a PDB.";
    return false;
}

static bool is_free_map_block(const struct building *building, uint64_t block)
{
    uint64_t place = block % building->msf->block_nbytes;
    return place == 1 || place == 2;
}

static bool allocate(struct building *building, uint64_t nbytes, struct block_list *list)
{
    list->count = msf_blocks_for(building->msf->block_nbytes, nbytes);
    list->numbers = arena_array(building->arena, (size_t)list->count + 1, sizeof *list->numbers);
    if (!list->numbers)
        return out_of_memory(building);
    for (uint64_t i = 0; i < list->count; i++) {
        while (is_free_map_block(building, building->next_block))
            building->next_block++;
        list->numbers[i] = (uint32_t)building->next_block++;
    }
    if (building->next_block * building->msf->block_nbytes > UINT32_MAX)
        return refuse(building, "it would reach 4 GiB");
    return true;
}

static void put(struct building *building, const struct block_list *list, struct span contents)
{
    uint32_t block_nbytes = building->msf->block_nbytes;
    for (uint64_t i = 0; i < list->count; i++) {
        size_t at = (size_t)(i * block_nbytes);
        size_t part = contents.nbytes - at < block_nbytes ? contents.nbytes - at : block_nbytes;
        memcpy(building->bytes + (uint64_t)list->numbers[i] * block_nbytes, contents.bytes + at, part);
    }
}

/* The directory with the changes. `lists`: the new blocks of each change. */
static bool make_directory(struct building *building, const struct msf_change *changes,
                           const struct block_list *lists, size_t change_count, struct span *directory)
{
    const struct msf *msf = building->msf;
    uint32_t stream_count = msf->stream_count;
    uint64_t nbytes = 4;
    for (size_t c = 0; c < change_count; c++)
        if (changes[c].stream >= stream_count)
            stream_count = changes[c].stream + 1;
    for (uint32_t i = 0; i < msf->stream_count; i++)
        nbytes += 4 + 4 * msf_blocks_for(msf->block_nbytes, msf->streams[i].nbytes);
    for (size_t c = 0; c < change_count; c++)
        nbytes += 4 + 4 * lists[c].count;
    if (stream_count > MSF_MOST_STREAMS)
        return refuse(building, "it has too many streams");
    uint8_t *bytes =
        arena_alloc(building->arena, (size_t)nbytes); /* more than is used, when streams are replaced */
    if (!bytes)
        return out_of_memory(building);
    store_u32(bytes, stream_count);
    uint64_t at = 4 + 4 * (uint64_t)stream_count;
    for (uint32_t i = 0, c = 0; i < stream_count; i++) {
        if (c < change_count && changes[c].stream == i) {
            store_u32(bytes + 4 + 4 * (size_t)i, (uint32_t)changes[c].contents.nbytes);
            for (uint64_t k = 0; k < lists[c].count; k++, at += 4)
                store_u32(bytes + at, lists[c].numbers[k]);
            c++;
            continue;
        }
        const struct msf_stream *stream = &msf->streams[i];
        uint64_t list_nbytes = 4 * msf_blocks_for(msf->block_nbytes, stream->nbytes);
        store_u32(bytes + 4 + 4 * (size_t)i, stream->is_nil ? MSF_NIL_NBYTES : stream->nbytes);
        memcpy(bytes + at, stream->blocks, (size_t)list_nbytes);
        at += list_nbytes;
    }
    *directory = (struct span){bytes, (size_t)at};
    return true;
}

static void mark_used(uint8_t *map, uint32_t block)
{
    map[block / 8] = (uint8_t)(map[block / 8] & ~(1u << (block % 8)));
}

/* A bit for each block, set when it is free. */
static bool write_free_map(struct building *building, struct span directory, const struct block_list *own,
                           size_t own_count)
{
    const struct msf *msf = building->msf;
    uint64_t map_nbytes = msf_blocks_for(8, building->next_block);
    uint64_t used_count = msf_blocks_for(msf->block_nbytes, map_nbytes);
    uint8_t *map = arena_alloc_unset(building->arena, (size_t)(used_count * msf->block_nbytes));
    if (!map)
        return out_of_memory(building);
    memset(map, 0xFF, (size_t)(used_count * msf->block_nbytes));
    mark_used(map, 0);
    for (uint64_t block = 0; block < building->next_block; block++)
        if (is_free_map_block(building, block))
            mark_used(map, (uint32_t)block);
    uint32_t stream_count = load_u32(directory.bytes);
    uint64_t at = 4 + 4 * (uint64_t)stream_count;
    for (uint32_t i = 0; i < stream_count; i++) {
        uint32_t nbytes = load_u32(directory.bytes + 4 + 4 * (size_t)i);
        uint64_t count = nbytes == MSF_NIL_NBYTES ? 0 : msf_blocks_for(msf->block_nbytes, nbytes);
        for (uint64_t k = 0; k < count; k++, at += 4)
            mark_used(map, load_u32(directory.bytes + at));
    }
    for (size_t i = 0; i < own_count; i++)
        for (uint64_t k = 0; k < own[i].count; k++)
            mark_used(map, own[i].numbers[k]);
    for (uint64_t i = 0; i < used_count; i++)
        memcpy(building->bytes + (i * msf->block_nbytes + msf->free_map) * msf->block_nbytes,
               map + i * msf->block_nbytes, msf->block_nbytes);
    return true;
}

static void number_blocks(const struct block_list *list, uint8_t *numbers)
{
    for (uint64_t i = 0; i < list->count; i++)
        store_u32(numbers + 4 * i, list->numbers[i]);
}

/* The old blocks; in new intervals the free block maps say "free" until one of them is written. */
static bool begin_file(struct building *building)
{
    const struct msf *msf = building->msf;
    building->bytes = arena_alloc(building->arena, (size_t)(building->next_block * msf->block_nbytes));
    if (!building->bytes)
        return out_of_memory(building);
    memcpy(building->bytes, msf->file.bytes, msf->file.nbytes);
    for (uint64_t block = msf->block_count; block < building->next_block; block++)
        if (is_free_map_block(building, block))
            memset(building->bytes + block * msf->block_nbytes, 0xFF, msf->block_nbytes);
    return true;
}

bool msf_change(const struct msf *msf, const struct msf_change *changes, size_t change_count,
                struct arena *arena, struct span *file, struct finding *error)
{
    struct building building = {.msf = msf, .arena = arena, .error = error, .next_block = msf->block_count};
    enum { DIRECTORY, MAPS };
    struct block_list own[2], *lists = arena_array(arena, change_count + 1, sizeof *lists);
    struct span directory;
    if (!lists)
        return out_of_memory(&building);
    for (size_t c = 0; c < change_count; c++)
        if (!allocate(&building, changes[c].contents.nbytes, &lists[c]))
            return false;
    if (!make_directory(&building, changes, lists, change_count, &directory) ||
        !allocate(&building, directory.nbytes, &own[DIRECTORY]) ||
        !allocate(&building, 4 * own[DIRECTORY].count, &own[MAPS]))
        return false;
    if (!range_fits(msf->block_nbytes, SUPER_BLOCK_MAPS, 4 * own[MAPS].count))
        return refuse(&building, "its directory is too large");
    uint8_t *numbers = arena_alloc(arena, (size_t)(4 * own[DIRECTORY].count));
    if (!numbers)
        return out_of_memory(&building);
    number_blocks(&own[DIRECTORY], numbers);
    if (!begin_file(&building))
        return false;
    for (size_t c = 0; c < change_count; c++)
        put(&building, &lists[c], changes[c].contents);
    put(&building, &own[DIRECTORY], directory);
    put(&building, &own[MAPS], (struct span){numbers, (size_t)(4 * own[DIRECTORY].count)});
    if (!write_free_map(&building, directory, own, 2))
        return false;
    store_u32(building.bytes + SUPER_BLOCK_COUNT, (uint32_t)building.next_block);
    store_u32(building.bytes + SUPER_DIRECTORY_NBYTES, (uint32_t)directory.nbytes);
    number_blocks(&own[MAPS], building.bytes + SUPER_BLOCK_MAPS);
    *file = (struct span){building.bytes, (size_t)(building.next_block * msf->block_nbytes)};
    return true;
}
