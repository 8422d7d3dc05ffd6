/* verify_msf.c - see verify_msf.h. Source: LLVM, docs/PDB/MsfFile. */
#include "verify/verify_msf.h"

enum {
    HEAD_NBYTES = 52,
    AT_BLOCK_NBYTES = 32,
    AT_FREE_MAP = 36,
    AT_BLOCK_COUNT = 40,
    AT_DIRECTORY_NBYTES = 44
};

static uint64_t count_of(const struct verify_msf *msf, uint64_t nbytes)
{
    return nbytes / msf->block_nbytes + (nbytes % msf->block_nbytes != 0);
}

/* Gives a block to somebody; false when it is not there, has an owner, or belongs to the container. */
static bool own(struct verify_msf *msf, uint32_t block)
{
    uint32_t place = block % msf->block_nbytes;
    if (block == 0 || block >= msf->block_count || place == 1 || place == 2 ||
        (msf->owned[block / 8] >> (block % 8) & 1))
        return false;
    msf->owned[block / 8] = (uint8_t)(msf->owned[block / 8] | 1u << (block % 8));
    return true;
}

static const uint8_t *block_at(const struct verify_msf *msf, uint32_t block)
{
    return msf->file.bytes + (uint64_t)block * msf->block_nbytes;
}

/* The directory's bytes, in the arena; two levels of block numbers lead to it. */
static uint8_t *read_directory(struct verify_msf *msf, uint32_t nbytes, struct arena *arena,
                               const char **reason)
{
    uint64_t count = count_of(msf, nbytes), per_block = msf->block_nbytes / 4;
    uint8_t *directory = arena_alloc_unset(arena, nbytes);
    for (uint64_t i = 0; directory && i < count; i++) {
        uint64_t map = i / per_block;
        if (!range_fits(msf->block_nbytes, HEAD_NBYTES, 4 * (map + 1))) {
            *reason = "has a directory that is too large";
            return NULL;
        }
        uint32_t map_block = load_u32(msf->file.bytes + HEAD_NBYTES + 4 * map);
        if (i % per_block == 0 && !own(msf, map_block)) {
            *reason = "gives a block of its directory away";
            return NULL;
        }
        uint32_t block = load_u32(block_at(msf, map_block) + 4 * (i % per_block));
        if (!own(msf, block)) {
            *reason = "gives a block of its directory away";
            return NULL;
        }
        uint64_t at = i * msf->block_nbytes;
        memcpy(directory + at, block_at(msf, block),
               (size_t)(nbytes - at < msf->block_nbytes ? nbytes - at : msf->block_nbytes));
    }
    return directory;
}

static bool read_streams(struct verify_msf *msf, struct span directory, struct arena *arena,
                         const char **reason)
{
    uint32_t count = load_u32(directory.bytes);
    *reason = "has a directory that does not add up";
    if (count > 0xFFFF || !range_fits(directory.nbytes, 4, 4 * (uint64_t)count))
        return false;
    msf->sizes = directory.bytes + 4;
    msf->blocks = directory.bytes + 4 + 4 * (size_t)count;
    uint64_t room = (directory.nbytes - 4 - 4 * (uint64_t)count) / 4, used = 0;
    msf->first = arena_array(arena, (size_t)count + 1, sizeof *msf->first);
    if (!msf->first) {
        *reason = NULL;
        return false;
    }
    msf->stream_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t blocks = count_of(msf, verify_msf_nbytes(msf, i));
        msf->first[i] = (uint32_t)used;
        if (blocks > room - used)
            return false;
        for (uint64_t k = 0; i != 0 && k < blocks; k++) /* stream 0 is an old directory, which nobody keeps */
            if (!own(msf, load_u32(msf->blocks + 4 * (used + k)))) {
                *reason = "gives a block to two streams";
                return false;
            }
        used += blocks;
    }
    return used * 4 + 4 + 4 * (uint64_t)count == directory.nbytes;
}

bool verify_msf_read(struct span file, struct arena *arena, struct verify_msf *msf, const char **reason)
{
    static const char magic[32] = "Microsoft C/C++ MSF 7.00\r\n\x1A\x44S\0\0";
    *msf = (struct verify_msf){.file = file};
    *reason = "is no PDB of the format 7.00";
    if (file.nbytes < HEAD_NBYTES || memcmp(file.bytes, magic, sizeof magic) != 0)
        return false;
    msf->block_nbytes = load_u32(file.bytes + AT_BLOCK_NBYTES);
    msf->free_map = load_u32(file.bytes + AT_FREE_MAP);
    msf->block_count = load_u32(file.bytes + AT_BLOCK_COUNT);
    uint32_t nbytes = load_u32(file.bytes + AT_DIRECTORY_NBYTES);
    if (msf->block_nbytes < 512 || msf->block_nbytes > 32768 ||
        (msf->block_nbytes & (msf->block_nbytes - 1)) != 0 || msf->free_map - 1 > 1 ||
        (uint64_t)msf->block_count * msf->block_nbytes != file.nbytes || nbytes < 4 || nbytes > file.nbytes)
        return false;
    *reason = NULL;
    msf->owned = arena_alloc(arena, msf->block_count / 8 + 1);
    uint8_t *directory = msf->owned ? read_directory(msf, nbytes, arena, reason) : NULL;
    return directory && read_streams(msf, (struct span){directory, nbytes}, arena, reason);
}

uint32_t verify_msf_nbytes(const struct verify_msf *msf, uint32_t stream)
{
    uint32_t stored = stream < msf->stream_count ? load_u32(msf->sizes + 4 * (size_t)stream) : 0;
    return stored == VERIFY_NIL_STREAM ? 0 : stored;
}

struct span verify_msf_part(const struct verify_msf *msf, uint32_t stream, uint32_t at)
{
    uint32_t nbytes = verify_msf_nbytes(msf, stream), inside = at % msf->block_nbytes;
    if (at >= nbytes || stream == 0)
        return (struct span){NULL, 0};
    uint32_t block = load_u32(msf->blocks + 4 * ((size_t)msf->first[stream] + at / msf->block_nbytes));
    uint32_t left = msf->block_nbytes - inside;
    return (struct span){block_at(msf, block) + inside, nbytes - at < left ? nbytes - at : left};
}

bool verify_msf_copy(const struct verify_msf *msf, uint32_t stream, uint32_t at, uint8_t *bytes,
                     uint32_t nbytes)
{
    while (nbytes != 0) {
        struct span part = verify_msf_part(msf, stream, at);
        if (part.nbytes == 0)
            return false;
        uint32_t taken = part.nbytes < nbytes ? (uint32_t)part.nbytes : nbytes;
        memcpy(bytes, part.bytes, taken);
        bytes += taken;
        at += taken;
        nbytes -= taken;
    }
    return true;
}

bool verify_msf_map_is_right(const struct verify_msf *msf)
{
    for (uint32_t block = 0; block < msf->block_count; block++) {
        uint64_t at = block / 8, map = at / msf->block_nbytes;
        uint64_t place = map * msf->block_nbytes + msf->free_map;
        bool is_owned = (msf->owned[block / 8] >> (block % 8) & 1) != 0;
        if (place >= msf->block_count)
            return false;
        bool is_free = (block_at(msf, (uint32_t)place)[at % msf->block_nbytes] >> (block % 8) & 1) != 0;
        if (is_owned && is_free)
            return false;
    }
    return true;
}
