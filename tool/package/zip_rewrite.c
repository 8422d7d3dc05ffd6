/* zip_rewrite.c - zip_rewrite.h: whole pieces of the old archive, and new ones between them.
 * Takes: an archive.  Gives: another.  Must not: keep a size or an offset that is not true any more. */
#include "package/zip_rewrite.h"

#include "package/zip_parts.h"

#include <zlib.h>

enum { RAW_WINDOW_BITS = -15, MEMORY_LEVEL = 8, VERSION_OF_DEFLATE = 20 };

struct writer {
    struct arena *arena;
    uint8_t *bytes;
    size_t nbytes, capacity;
};

static bool put(struct writer *writer, const uint8_t *bytes, size_t nbytes)
{
    uint8_t *grown = arena_grow(writer->arena, writer->bytes, writer->nbytes, &writer->capacity,
                                writer->nbytes + nbytes + 1, 1);
    if (!grown)
        return false;
    writer->bytes = grown;
    if (nbytes != 0)
        memcpy(grown + writer->nbytes, bytes, nbytes);
    writer->nbytes += nbytes;
    return true;
}

/* What becomes of one file. */
struct packed {
    struct span bytes;
    uint16_t method;
    uint32_t crc, nbytes;
    uint32_t new_local_foff;
};

static bool deflate_bytes(struct span bytes, struct arena *arena, struct span *packed)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, RAW_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong most = deflateBound(&stream, (uLong)bytes.nbytes);
    uint8_t *room = arena_alloc_unset(arena, most);
    stream.next_in = (Bytef *)(uintptr_t)bytes.bytes;
    stream.avail_in = (uInt)bytes.nbytes;
    stream.next_out = room;
    stream.avail_out = (uInt)most;
    bool is_done = room && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *packed = (struct span){room, (size_t)(most - stream.avail_out)};
    deflateEnd(&stream);
    return is_done;
}

static uint32_t crc_of(struct span bytes)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), bytes.bytes, (uInt)bytes.nbytes);
}

/* The new content, packed as the old one was: stored, or else deflated. */
static bool pack(struct span archive, const struct zip_record *record, const struct zip_change *change,
                 struct arena *arena, struct packed *packed, const char **problem)
{
    const uint8_t *central = archive.bytes + record->central_foff;
    if (load_u32(central + CENTRAL_NBYTES) != change->old_bytes.nbytes ||
        load_u32(central + CENTRAL_CRC) != crc_of(change->old_bytes) ||
        (load_u16(central + CENTRAL_FLAGS) & ZIP_IS_ENCRYPTED) || change->new_bytes.nbytes > INT32_MAX) {
        *problem = "has a file that is not what its directory says";
        return false;
    }
    packed->method = load_u16(central + CENTRAL_METHOD) == ZIP_STORED ? ZIP_STORED : ZIP_DEFLATED;
    packed->crc = crc_of(change->new_bytes);
    packed->nbytes = (uint32_t)change->new_bytes.nbytes;
    packed->bytes = change->new_bytes;
    return packed->method == ZIP_STORED || deflate_bytes(change->new_bytes, arena, &packed->bytes);
}

static void set_flags(uint8_t *flags, uint8_t *version)
{
    store_u16(flags, (uint16_t)(load_u16(flags) & ~(ZIP_HAS_DESCRIPTOR | ZIP_LEVEL_BITS)));
    if (load_u16(version) < VERSION_OF_DEFLATE)
        store_u16(version, VERSION_OF_DEFLATE);
}

static bool put_changed(struct writer *writer, struct span archive, const struct zip_record *record,
                        const struct packed *packed)
{
    size_t start = writer->nbytes;
    if (!put(writer, archive.bytes + record->local_foff, record->header_nbytes))
        return false;
    uint8_t *local = writer->bytes + start;
    set_flags(local + LOCAL_FLAGS, local + LOCAL_VERSION);
    store_u16(local + LOCAL_METHOD, packed->method);
    store_u32(local + LOCAL_CRC, packed->crc);
    store_u32(local + LOCAL_PACKED_NBYTES, (uint32_t)packed->bytes.nbytes);
    store_u32(local + LOCAL_NBYTES, packed->nbytes);
    return put(writer, packed->bytes.bytes, packed->bytes.nbytes);
}

static bool put_central(struct writer *writer, struct span archive, const struct zip_record *record,
                        enum zip_fate fate, const struct packed *packed)
{
    size_t start = writer->nbytes;
    if (!put(writer, archive.bytes + record->central_foff, record->central_nbytes))
        return false;
    uint8_t *central = writer->bytes + start;
    store_u32(central + CENTRAL_LOCAL_FOFF, packed->new_local_foff);
    if (fate != ZIP_REPLACE)
        return true;
    set_flags(central + CENTRAL_FLAGS, central + CENTRAL_VERSION);
    store_u16(central + CENTRAL_METHOD, packed->method);
    store_u32(central + CENTRAL_CRC, packed->crc);
    store_u32(central + CENTRAL_PACKED_NBYTES, (uint32_t)packed->bytes.nbytes);
    store_u32(central + CENTRAL_NBYTES, packed->nbytes);
    return true;
}

static bool put_files(struct writer *writer, struct span archive, const struct zip_parts *parts,
                      const struct zip_change *changes, struct packed *packed, const char **problem)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct zip_record *record = parts->by_local_foff[i];
        struct packed *file = &packed[record - parts->records];
        if (changes[i].fate == ZIP_LEAVE_OUT)
            continue;
        if (writer->nbytes > INT32_MAX) {
            *problem = "would become larger than 2 GiB";
            return false;
        }
        file->new_local_foff = (uint32_t)writer->nbytes;
        if (changes[i].fate == ZIP_KEEP
                ? !put(writer, archive.bytes + record->local_foff, record->local_nbytes)
                : !pack(archive, record, &changes[i], writer->arena, file, problem) ||
                      !put_changed(writer, archive, record, file))
            return false;
    }
    return true;
}

bool zip_rewrite(struct span archive, const struct zip_change *changes, size_t count, struct arena *arena,
                 struct span *rewritten, const char **problem)
{
    struct zip_parts parts;
    struct writer writer = {.arena = arena};
    if (!zip_parts_find(archive, arena, &parts, problem))
        return false;
    if (parts.count != count) {
        *problem = "has another number of files in its directory than in front of it";
        return false;
    }
    struct packed *packed = arena_array(arena, count, sizeof *packed);
    enum zip_fate *fates = arena_array(arena, count, sizeof *fates);
    if (!packed || !fates || !put_files(&writer, archive, &parts, changes, packed, problem))
        return false;
    for (size_t i = 0; i < count; i++)
        fates[parts.by_local_foff[i] - parts.records] = changes[i].fate;
    size_t directory_foff = writer.nbytes, kept_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (fates[i] == ZIP_LEAVE_OUT)
            continue;
        kept_count++;
        if (!put_central(&writer, archive, &parts.records[i], fates[i], &packed[i]))
            return false;
    }
    size_t end_foff = writer.nbytes;
    if (!put(&writer, archive.bytes + parts.end_foff, archive.nbytes - parts.end_foff))
        return false;
    uint8_t *end = writer.bytes + end_foff;
    store_u16(end + END_COUNT_HERE, (uint16_t)kept_count);
    store_u16(end + END_COUNT, (uint16_t)kept_count);
    store_u32(end + END_DIRECTORY_NBYTES, (uint32_t)(end_foff - directory_foff));
    store_u32(end + END_DIRECTORY_FOFF, (uint32_t)directory_foff);
    *rewritten = (struct span){writer.bytes, writer.nbytes};
    return true;
}
