/* undo_write.c - making a record of a side file.
 * Takes: both images, a description.  Gives: bytes.  Must not: depend on anything else: no time, no path. */
#include "io/digest.h"
#include "undo/undo.h"
#include "undo/undo_delta.h"
#include "undo/undo_record.h"

#include <zlib.h>

bool undo_image_of(struct span file, struct undo_image *image)
{
    *image = (struct undo_image){.nbytes = (uint32_t)file.nbytes};
    return file.nbytes < UNDO_MOST_NBYTES && digest_parts(DIGEST_SHA256, &file, 1, image->sha256);
}

/* A description in the making; what does not fit any more is left out. */
struct description_writer {
    uint8_t *bytes; /* room for UNDO_DESCRIPTION_NBYTES */
    size_t nbytes;
};

static bool has_room(const struct description_writer *writer, const char *text)
{
    return !text || strlen(text) + UNDO_TEXT_HEAD_NBYTES <= UNDO_DESCRIPTION_NBYTES - writer->nbytes;
}

static void add_text(struct description_writer *writer, unsigned tag, const char *text)
{
    if (!text || !has_room(writer, text))
        return;
    uint8_t *at = writer->bytes + writer->nbytes;
    size_t nbytes = strlen(text);
    store_u16(at, (uint16_t)tag);
    store_u32(at + 2, (uint32_t)nbytes);
    memcpy(at + UNDO_TEXT_HEAD_NBYTES, text, nbytes);
    writer->nbytes += UNDO_TEXT_HEAD_NBYTES + nbytes;
}

static void add_facts(struct description_writer *writer, unsigned tag, const struct undo_facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (!has_room(writer, facts->items[i].what))
            return; /* a reason never stands without what it is for */
        add_text(writer, tag, facts->items[i].what);
        add_text(writer, UNDO_TEXT_WHY, facts->items[i].why);
    }
}

/* Appends `bytes` as a zlib stream to the record; its room is *capacity. False when memory ran out. */
static bool pack(struct span bytes, struct arena *arena, uint8_t **record, size_t *nbytes, size_t *capacity,
                 uint32_t *packed_nbytes)
{
    uLongf room_nbytes = compressBound((uLong)bytes.nbytes);
    uint8_t *grown = arena_grow(arena, *record, *nbytes, capacity, *nbytes + room_nbytes, 1);
    if (!grown)
        return false;
    *record = grown;
    if (compress2(grown + *nbytes, &room_nbytes, bytes.bytes, (uLong)bytes.nbytes, Z_BEST_COMPRESSION) !=
        Z_OK) {
        arena->exhausted = true; /* there is no other reason */
        return false;
    }
    *packed_nbytes = (uint32_t)room_nbytes;
    *nbytes += room_nbytes;
    return true;
}

/* The digest of a record but for the digest's own bytes. */
static bool sign(uint8_t *record, size_t nbytes)
{
    const struct span parts[] = {{record, UNDO_RECORD_SHA256_AT},
                                 {record + UNDO_HEADER_NBYTES, nbytes - UNDO_HEADER_NBYTES}};
    return digest_parts(DIGEST_SHA256, parts, 2, record + UNDO_RECORD_SHA256_AT);
}

bool undo_record_make(struct span original, struct span repaired, const struct undo_description *description,
                      struct arena *arena, struct span *record)
{
    struct undo_image from, to;
    struct span delta;
    uint32_t range_count, description_packed_nbytes, delta_packed_nbytes;
    struct description_writer writer = {.bytes = arena_alloc_unset(arena, UNDO_DESCRIPTION_NBYTES)};
    size_t nbytes = UNDO_HEADER_NBYTES, capacity = 0;
    uint8_t *bytes = arena_grow(arena, NULL, 0, &capacity, UNDO_HEADER_NBYTES, 1);
    if (!writer.bytes || !bytes || !undo_image_of(original, &from) || !undo_image_of(repaired, &to) ||
        !delta_make(original, repaired, arena, &delta, &range_count))
        return false;
    memset(bytes, 0, UNDO_HEADER_NBYTES);
    add_text(&writer, UNDO_TEXT_TOOL, description->tool_version);
    add_text(&writer, UNDO_TEXT_IMAGE, description->image_name);
    add_facts(&writer, UNDO_TEXT_CURED, &description->cured);
    add_facts(&writer, UNDO_TEXT_CHANGE, &description->changes);
    struct span words = {writer.bytes, writer.nbytes};
    if (!pack(words, arena, &bytes, &nbytes, &capacity, &description_packed_nbytes) ||
        !pack(delta, arena, &bytes, &nbytes, &capacity, &delta_packed_nbytes))
        return false;
    memcpy(bytes, UNDO_MAGIC, UNDO_MAGIC_NBYTES);
    store_u16(bytes + UNDO_VERSION_AT, UNDO_FORMAT_VERSION);
    store_u16(bytes + UNDO_HEADER_NBYTES_AT, UNDO_HEADER_NBYTES);
    store_u32(bytes + UNDO_RECORD_NBYTES_AT, (uint32_t)nbytes);
    store_u32(bytes + UNDO_ORIGINAL_NBYTES_AT, from.nbytes);
    store_u32(bytes + UNDO_REPAIRED_NBYTES_AT, to.nbytes);
    memcpy(bytes + UNDO_ORIGINAL_SHA256_AT, from.sha256, sizeof from.sha256);
    memcpy(bytes + UNDO_REPAIRED_SHA256_AT, to.sha256, sizeof to.sha256);
    store_u32(bytes + UNDO_DESCRIPTION_NBYTES_AT, (uint32_t)words.nbytes);
    store_u32(bytes + UNDO_DESCRIPTION_PACKED_NBYTES_AT, description_packed_nbytes);
    store_u32(bytes + UNDO_RANGE_COUNT_AT, range_count);
    store_u32(bytes + UNDO_DELTA_PACKED_NBYTES_AT, delta_packed_nbytes);
    *record = (struct span){bytes, nbytes};
    return sign(bytes, nbytes);
}
